"""Force constants of a left-handed cell, told of the right-handed one of the same lattice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy
from phonopy.harmonic.force_constants import compact_fc_to_full_fc
from phonopy.structure.atoms import PhonopyAtoms


def right_handed(phonon: Phonopy) -> Phonopy:
    """Return a phonopy object of a right-handed cell: of a left-handed one all lattice vectors are turned round.

    The crystal stays where it is, and so do the atoms of the unit cell in their order; those of the supercell come in
    another, since phonopy counts them along the lattice vectors.

    :param phonon: with force constants, eV/Å², shape [n_primitive_atoms or n_supercell_atoms, n_supercell_atoms, 3, 3].
    """
    cell = phonon.unitcell
    if np.linalg.det(cell.cell) > 0:
        return phonon
    scaled = -cell.scaled_positions
    turned = Phonopy(
        PhonopyAtoms(numbers=cell.numbers, scaled_positions=scaled, cell=-cell.cell, masses=cell.masses),
        supercell_matrix=phonon.supercell_matrix,
        primitive_matrix=phonon.primitive_matrix,
        symprec=phonon.symmetry.tolerance,
    )
    constants = phonon.force_constants
    if constants.shape[0] != constants.shape[1]:
        constants = compact_fc_to_full_fc(phonon.primitive, constants)
    order = _order(turned.supercell, phonon.supercell)
    turned.force_constants = np.array(constants[np.ix_(order[turned.primitive.p2s_map], order)], order="C")
    return turned


def _order(wanted: PhonopyAtoms, given: PhonopyAtoms) -> NDArray[np.intp]:
    """Return for each atom of a supercell which of another, of the same crystal in the same place, it is."""
    differences = (wanted.positions[:, None] - given.positions) @ np.linalg.inv(given.cell)
    distances = np.linalg.norm((differences - np.rint(differences)) @ given.cell, axis=-1)
    return np.asarray(np.argmin(distances, axis=1))

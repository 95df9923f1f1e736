"""Force constants that were computed before, by this package or elsewhere, put back to work."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from phonopy import Phonopy

from aiida_crucible.analysis.crystal.phonopy_cells import require_symmetric_masses, to_phonopy

STORED_ARRAYS = ("force_constants", "supercell_matrix", "primitive_matrix")
"""What a node of force constants holds, see :func:`restore_phonons`."""


def restore_phonons(
    atoms: Atoms,
    force_constants: NDArray[np.float64],
    supercell_matrix: NDArray[np.int64],
    primitive_matrix: NDArray[np.float64],
    tolerance: float = 1e-5,
) -> Phonopy:
    """Return the phonopy object that force constants belong to.

    :param atoms: the unit cell.
    :param force_constants: eV/Å², shape [n_primitive_atoms, n_supercell_atoms, 3, 3], atoms in phonopy's order.
    :param supercell_matrix: as phonopy has it, shape [3, 3].
    :param primitive_matrix: as phonopy has it, shape [3, 3].
    :param tolerance: distance tolerance of the symmetry search, Å.
    :raises ValueError: one line, if the force constants do not belong to these cells or are not finite, or if atoms
        that symmetry makes the same have different masses.
    """
    try:
        phonon = Phonopy(
            to_phonopy(atoms), supercell_matrix=supercell_matrix, primitive_matrix=primitive_matrix, symprec=tolerance
        )
    except Exception as error:
        raise ValueError(
            f"phonopy makes no cells of {atoms.get_chemical_formula()} with these matrices: {_first_line(error)}"
        ) from error
    require_symmetric_masses(phonon)
    expected = (len(phonon.primitive), len(phonon.supercell), 3, 3)
    values = np.array(force_constants, dtype=float, order="C")
    if values.shape != expected:
        raise ValueError(
            f"force constants of shape {values.shape}, but {atoms.get_chemical_formula()} and its supercell need "
            f"{expected}: they belong to another structure"
        )
    if not np.isfinite(values).all():
        raise ValueError("the force constants hold numbers that are not finite")
    phonon.force_constants = values
    return phonon


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__

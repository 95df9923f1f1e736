"""Do force constants belong to the cells that they came with? What shows in the numbers themselves if they do not."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
from ase.data import atomic_masses
from numpy.typing import NDArray
from phonopy import Phonopy
from phonopy.harmonic.force_constants import compact_fc_to_full_fc, full_fc_to_compact_fc
from phonopy.structure.atoms import PhonopyAtoms
from phonopy.structure.dataset import get_displacements_and_forces
from phonopy.utils import similarity_transformation
from symfc import Symfc
from symfc.utils.utils import SymfcAtoms

from aiida_crucible.analysis.force_constants import BROKEN_RULE, ForceConstants

LARGEST_ASYMMETRY = 0.2
"""Of the largest force constant: noise stays far below it, and atoms in another order are above it."""

NOTABLE_SPREAD, LARGEST_SPREAD = 0.02, 0.1
"""Of the largest force constant: how far those may differ that symmetry makes the same, without a word and at all."""

NOTABLE_REST, LARGEST_REST = 0.03, 0.1
"""Of the largest force: by how much force constants may miss one, without a word and at all: anharmonicity and noise
stay below the second at displacements of up to 0.03 Å, atoms in another order are mostly above it."""

LARGEST_REST_AT_TEMPERATURE = 0.5
"""The same of displacements of all atoms, which may be those of a hot crystal: much of their forces is anharmonic."""

LARGEST_FIT_ERROR = 1e-3
"""Of the largest force constant; what is determined is found again to many more digits."""

LARGEST_MASS_DIFFERENCE = 0.005
"""Relative, from an element's standard mass: tables of these differ by less, isotopes by more."""

LINES_OF_PAIR = 4
"""Of a ``FORCE_CONSTANTS``: the two atoms, and three rows."""


def check_rows(path: Path, constants: NDArray[np.float64], atoms: NDArray[np.int64]) -> None:
    """Refuse force constants of a primitive cell whose atoms are others of the supercell than expected.

    :param path: phonopy's ``FORCE_CONSTANTS`` or hdf5.
    :param constants: as they are in it, shape [n_primitive_atoms, n_supercell_atoms, 3, 3].
    :param atoms: places in the supercell of the primitive cell's, shape [n_primitive_atoms].
    :raises ValueError: one line.
    """
    rows = _rows_of(path, constants.shape[1])
    if rows is not None and len(constants) == len(atoms) < constants.shape[1] and not np.array_equal(rows, atoms):
        raise ValueError(
            f"{path.name} holds force constants of the supercell's atoms {_numbers(rows)}, but the primitive cell has "
            f"its {_numbers(atoms)} (counted from 1): give the unit cell and the supercell that they were computed in"
        )


def check_symmetries(path: Path, found: ForceConstants) -> list[str]:
    """Return a warning where force constants miss the acoustic sum rule.

    :param path: the file that they came from.
    :raises ValueError: one line, if they change with their two atoms exchanged: such are of other atoms.
    """
    largest = float(np.abs(found.values).max())
    if largest == 0:
        raise ValueError(f"the force constants in {path.name} are all zero: nothing was computed")
    asymmetry, residual = found.index_symmetry_residual, found.acoustic_sum_residual
    if asymmetry > LARGEST_ASYMMETRY * largest:
        raise ValueError(
            f"the force constants in {path.name} change by up to {asymmetry:.3g} eV/Å² ({asymmetry / largest:.2g} of "
            "the largest one) where two atoms are exchanged: its atoms come in another order, or the supercell is "
            "another"
        )
    if residual > BROKEN_RULE * largest:
        return [
            f"the force constants in {path.name} break the acoustic sum rule by {residual:.3g} eV/Å² "
            f"({residual / largest:.2g} of the largest one), which symmetrisation has taken out"
        ]
    return []


def check_space_group(path: Path, constants: NDArray[np.float64], phonon: Phonopy) -> list[str]:
    """Return a warning where force constants differ that symmetry makes the same.

    :param path: the file that they came from.
    :param constants: shape [n_primitive_atoms, n_atoms, 3, 3], or of all pairs of the supercell.
    :param phonon: with its cells.
    :raises ValueError: one line, if they differ by so much that they are of other atoms.
    """
    primitive, cell = phonon.primitive, phonon.supercell.cell.T
    compact = full_fc_to_compact_fc(primitive, constants) if len(constants) == len(phonon.supercell) else constants
    repeated = compact_fc_to_full_fc(primitive, compact)
    spread = float(np.abs(repeated - constants).max()) if len(constants) == len(repeated) else 0.0
    rotations, permutations = phonon.symmetry.symmetry_operations["rotations"], phonon.symmetry.atomic_permutations
    # Operations of the same rotation differ by translations, which all pairs have now.
    for index in np.unique(rotations, axis=0, return_index=True)[1]:
        rotation, order = similarity_transformation(cell, rotations[index]), permutations[index]
        turned = rotation @ repeated @ rotation.T
        spread = max(spread, float(np.abs(repeated[np.ix_(order, order)] - turned).max()))
    largest = float(np.abs(constants).max())
    if spread <= NOTABLE_SPREAD * largest:
        return []
    said = (
        f"the force constants in {path.name} differ by up to {spread:.3g} eV/Å² ({spread / largest:.2g} of the largest "
        "one) between pairs that symmetry makes the same"
    )
    if spread > LARGEST_SPREAD * largest:
        raise ValueError(f"{said}: its atoms come in another order than phonopy's, or the supercell is another")
    return [said]


def check_displacements(path: Path, phonon: Phonopy, displacements: NDArray[np.float64]) -> None:
    """Refuse displacements of all atoms that do not determine force constants.

    Any force constants that the symmetry allows have to be found again from the forces that they give.

    :param path: the file that they came from.
    :param phonon: with its cells.
    :param displacements: Å, shape [n_frames, n_atoms, 3].
    :raises ValueError: one line.
    """
    cell = phonon.supercell
    solver = Symfc(SymfcAtoms(cell=cell.cell, scaled_positions=cell.scaled_positions, numbers=cell.numbers))
    solver.compute_basis_set(2)
    basis = solver.basis_set[2]
    weights = np.random.default_rng(0).normal(size=basis.basis_set.shape[1])
    true = np.asarray(basis.compression_matrix @ (basis.basis_set @ weights)).reshape(len(cell), len(cell), 3, 3)
    solver.displacements = np.ascontiguousarray(displacements)
    solver.forces = -np.einsum("ijab,kjb->kia", true, displacements)
    solver.solve(max_order=2, is_compact_fc=False)
    off = float(np.abs(solver.force_constants[2] - true).max() / np.abs(true).max())
    if not off < LARGEST_FIT_ERROR:
        raise ValueError(
            f"the {len(displacements)} displaced supercells in {path.name} do not determine the {len(weights)} force "
            "constants of this crystal: give more of them"
        )


def check_fit(path: Path, phonon: Phonopy, has_drift: bool) -> list[str]:
    """Return a warning where force constants do not reproduce the forces that they were fitted to.

    :param path: the file that the forces came from.
    :param phonon: with displacements, forces and force constants as they come.
    :param has_drift: whether the forces are known to miss the sum of zero, which no force constants reproduce.
    :raises ValueError: one line, if they leave so much that the forces are of other atoms.
    """
    moved, forces = get_displacements_and_forces(phonon.dataset)
    assert forces is not None
    constants = compact_fc_to_full_fc(phonon.primitive, phonon.force_constants)
    rest = forces + np.einsum("ijab,kjb->kia", constants, moved, optimize=True)
    share = float(np.abs(rest).max() / max(np.abs(forces).max(), np.finfo(float).tiny))
    if share <= NOTABLE_REST:
        return []
    said = f"the force constants miss forces in {path.name} by up to {share:.2g} of the largest one"
    largest = LARGEST_REST if "first_atoms" in phonon.dataset else LARGEST_REST_AT_TEMPERATURE
    if share > largest and not has_drift:
        raise ValueError(f"{said}: its atoms come in another order than phonopy's, or the supercell is another")
    return [f"{said}: displacements are large, or some atoms come in another order than phonopy's"]


def warnings_of_masses(path: Path, cell: PhonopyAtoms) -> list[str]:
    """Return a warning where masses are not the elements' own, which are the ones that count here.

    :param path: the file that they came from.
    :param cell: with its masses.
    """
    standard = atomic_masses[cell.numbers]
    strange = np.flatnonzero(np.abs(cell.masses / standard - 1) > LARGEST_MASS_DIFFERENCE)
    if not len(strange):
        return []
    first = strange[0]
    return [
        f"{path.name} gives {cell.symbols[first]} the mass {cell.masses[first]:g}: it is not kept, and frequencies are "
        f"those of the element's own, {standard[first]:g}"
    ]


def _rows_of(path: Path, n_atoms: int) -> NDArray[np.int64] | None:
    """Return which atoms of the supercell the rows of a file belong to; ``None`` where it does not say."""
    if path.suffix in (".hdf5", ".h5"):
        import h5py  # type: ignore[import-untyped]

        with h5py.File(path) as file:
            return np.asarray(file["p2s_map"][:], dtype=np.int64) if "p2s_map" in file else None
    with path.open() as stream:
        heads = islice(stream, 1, None, LINES_OF_PAIR * n_atoms)
        return np.array([int(line.split()[0]) - 1 for line in heads if line.strip()], dtype=np.int64)


def _numbers(atoms: NDArray[np.int64]) -> str:
    named = ", ".join(str(atom + 1) for atom in atoms[:6])
    return named if len(atoms) <= 6 else f"{named} …"

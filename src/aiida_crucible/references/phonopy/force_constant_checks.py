"""Do force constants belong to the cells that they came with? What shows in the numbers themselves if they do not."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy
from phonopy.harmonic.force_constants import compact_fc_to_full_fc, full_fc_to_compact_fc
from phonopy.utils import similarity_transformation

from aiida_crucible.analysis.phonons.force_constants import BROKEN_RULE, ForceConstants

LARGEST_ASYMMETRY = 0.2
"""Of the largest force constant: noise stays far below it, and atoms in another order are above it."""

NOTABLE_SPREAD, LARGEST_SPREAD = 0.02, 0.1
"""Of the largest force constant: how far those may differ that symmetry makes the same, without a word and at all."""

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

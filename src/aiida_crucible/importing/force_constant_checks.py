"""Do force constants belong to the cells that they came with? What shows in the numbers themselves if they do not."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.analysis.force_constants import ForceConstants

LARGEST_SUM_RULE_ERROR = 1e-3
"""Relative to the largest force constant; finite displacements with a converged code stay below."""

LARGEST_ASYMMETRY = 0.2
"""Of the largest force constant: noise stays far below it, and atoms in another order are above it."""

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
    asymmetry, residual = found.index_symmetry_residual, found.acoustic_sum_residual
    if asymmetry > LARGEST_ASYMMETRY * largest:
        raise ValueError(
            f"the force constants in {path.name} change by up to {asymmetry:.3g} eV/Å² ({asymmetry / largest:.2g} of "
            "the largest one) where two atoms are exchanged: its atoms come in another order, or the supercell is "
            "another"
        )
    if residual > LARGEST_SUM_RULE_ERROR * largest:
        return [
            f"the force constants in {path.name} break the acoustic sum rule by {residual:.3g} eV/Å² "
            f"({residual / largest:.2g} of the largest one), which symmetrisation has taken out"
        ]
    return []


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

"""How the axes of a supercell may lie in those of its unit cell: as they come, or turned in any way."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

STRAINS = (0.01, 0.06)
"""By which lengths (relative) and angles (cosines) of turned axes may differ, smaller ones first: fewer fit."""

LARGEST_MISFIT = 0.25
"""Unit cells by which axes that are not turned may miss a whole number of them; at 0.5 the number itself is open."""

MOST_ORIENTATIONS = 100
"""Turned axes that are tried, those with the best lengths and angles first; a cube has 24."""


def n_cells_of(matrix: NDArray[np.int64]) -> int:
    """Return how many unit cells a supercell matrix makes, of either handedness."""
    return abs(round(float(np.linalg.det(matrix))))


def straight_matrix(cell: NDArray[np.float64], unit: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """Return ``matrix`` of ``cell = matrix @ unit`` but for a small strain, shape [3, 3]; ``None`` if there is none.

    :param cell: of the supercell, rows are vectors, Å, shape [3, 3].
    :param unit: of the unit cell, likewise.
    """
    ratio = cell @ np.linalg.inv(unit)
    matrix: NDArray[np.int64] = np.rint(ratio).astype(np.int64)
    return matrix if (np.abs(ratio - matrix) <= LARGEST_MISFIT).all() and n_cells_of(matrix) else None


def possible_matrices(
    cell: NDArray[np.float64], unit: NDArray[np.float64], n_cells: int
) -> Iterator[tuple[float, NDArray[np.int64]]]:
    """Yield the matrices that may make a cell of unit cells: axes as they come first, then turned ones, best first.

    Each comes with the tolerance that it was found with, axes as they come with none.

    :param n_cells: unit cells in the supercell.
    """
    straight = straight_matrix(cell, unit)
    if straight is not None and n_cells_of(straight) == n_cells:
        yield 0.0, straight
    # A crystal that has expanded is the same in every direction, but for its strain.
    cell = cell * (n_cells * abs(np.linalg.det(unit) / np.linalg.det(cell))) ** (1 / 3)
    metric = cell @ cell.T
    for tolerance in STRAINS:
        turned = list(_turned_matrices(cell, unit, n_cells, tolerance))
        misfits = [float(np.linalg.norm(matrix @ unit @ unit.T @ matrix.T - metric)) for matrix in turned]
        for index in np.argsort(misfits, kind="stable")[:MOST_ORIENTATIONS]:
            yield tolerance, turned[index]


def rotation_between(cell: NDArray[np.float64], ideal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation nearest to what takes a cell into another, [3, 3]; exactly the identity if none is needed."""
    left, _, right = np.linalg.svd(np.linalg.inv(cell) @ ideal)
    rotation = left @ right
    return np.eye(3) if np.allclose(rotation, np.eye(3), atol=1e-7) else np.asarray(rotation)


def change_of_shape(cell: NDArray[np.float64], ideal: NDArray[np.float64]) -> float:
    """Return by how much a cell's shape differs from another's, relative; neither size nor orientation counts."""
    stretch = np.linalg.svd(np.linalg.inv(cell) @ ideal, compute_uv=False)
    return float(np.linalg.norm(stretch / stretch.prod() ** (1 / 3) - 1.0))


def _turned_matrices(
    cell: NDArray[np.float64], unit: NDArray[np.float64], n_cells: int, tolerance: float
) -> Iterator[NDArray[np.int64]]:
    """Yield the matrices whose supercell has the lengths, angles and handedness of a cell, in any orientation."""
    lengths = np.linalg.norm(cell, axis=1)
    cosines = (cell @ cell.T) / np.outer(lengths, lengths)
    reach = np.ceil(lengths.max() * (1 + tolerance) * np.linalg.norm(np.linalg.inv(unit), axis=0)).astype(int)
    points = np.array(list(itertools.product(*(range(-r, r + 1) for r in reach))))
    vectors = points @ unit
    norms = np.linalg.norm(vectors, axis=1)
    rows = [np.flatnonzero(np.abs(norms - length) <= tolerance * length) for length in lengths]
    units = [vectors[row] / norms[row, None] for row in rows]
    handedness = np.sign(np.linalg.det(cell) * np.linalg.det(unit))
    # Pairs of rows whose angle fits.
    fits = {(a, b): np.abs(units[a] @ units[b].T - cosines[a, b]) <= tolerance for a, b in ((0, 1), (0, 2), (1, 2))}
    for i, j in np.argwhere(fits[0, 1]):
        third = np.flatnonzero(fits[0, 2][i] & fits[1, 2][j])
        matrices = np.empty((len(third), 3, 3), dtype=np.int64)
        matrices[:, 0], matrices[:, 1], matrices[:, 2] = points[rows[0][i]], points[rows[1][j]], points[rows[2][third]]
        yield from matrices[np.rint(np.linalg.det(matrices)) == handedness * n_cells]

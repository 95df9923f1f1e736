"""Radial distribution functions by pairs of species."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from math import ceil

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.displacements import checked_frames

CHUNK = 100_000
"""Pairs that are worked on at once, which stay in a processor's cache."""


@dataclass(frozen=True)
class PairDistribution:
    """Radial distribution functions."""

    edges: NDArray[np.float64]
    """Of the bins, Å, shape [n_bins + 1]."""
    values: dict[tuple[str, str], NDArray[np.float64]]
    """g(r) of each pair of species, both of them in the order of first appearance; 1 for an ideal gas; [n_bins]."""

    @property
    def radii(self) -> NDArray[np.float64]:
        """Middles of the bins, Å, shape [n_bins]."""
        return np.asarray((self.edges[1:] + self.edges[:-1]) / 2)


def pair_distribution(
    positions: NDArray[np.floating],
    cells: NDArray[np.floating],
    symbols: list[str],
    *,
    largest_radius: float | None = None,
    n_bins: int = 200,
    n_frames: int = 300,
) -> PairDistribution:
    """Return g(r) of every pair of species, averaged over frames.

    Periodic images are counted as far out as the radius asks, so that a small supercell has its outer shells too. The
    density that g(r) is relative to is that of the other atoms, (N_b - δ_ab) / V.

    :param positions: Å, shape [n_all_frames, n_atoms, 3], wrapped or not.
    :param cells: Å, shape [n_all_frames, 3, 3], or [3, 3] for all frames.
    :param largest_radius: Å; by default half the smallest distance between opposite faces, beyond which a crystal's
        periodicity shows.
    :param n_bins: up to that radius.
    :param n_frames: at most so many frames, evenly spaced, are used: neighbouring ones say the same.
    :raises ValueError: one line, if shapes do not fit, a number is not finite, or the radius is not positive.
    """
    positions, cells = checked_frames(positions, cells, len(symbols))
    chosen = np.unique(np.linspace(0, len(positions) - 1, min(n_frames, len(positions))).astype(int))
    positions, cells = positions[chosen].astype(float), cells[chosen].astype(float)
    if not (np.isfinite(positions).all() and np.isfinite(cells).all()):
        raise ValueError("positions or cells are not finite: leave out the frames after the run failed")
    heights = 1 / np.linalg.norm(np.linalg.inv(cells), axis=1)
    radius = float(heights.min()) / 2 if largest_radius is None else float(largest_radius)
    if not 0 < radius < np.inf:
        raise ValueError(f"largest radius {largest_radius} Å: give a positive number")
    edges = np.linspace(0, radius, n_bins + 1)
    labels = np.array(symbols)
    members = {symbol: np.flatnonzero(labels == symbol) for symbol in dict.fromkeys(symbols)}
    pairs = list(combinations_with_replacement(members, 2))
    counts = {pair: np.zeros(n_bins) for pair in pairs}
    density_sums = 0.0
    for frame, cell, height in zip(positions, cells, heights, strict=True):
        density_sums += 1 / abs(float(np.linalg.det(cell)))
        scaled = frame @ np.linalg.inv(cell)
        for first, second in pairs:
            counts[first, second] += _count(scaled, (members[first], members[second]), cell, height, edges)
    shells = 4 / 3 * np.pi * np.diff(edges**3) * density_sums
    sizes = {symbol: len(indices) for symbol, indices in members.items()}
    values = {
        (first, second): count / (sizes[first] * max(1, sizes[second] - (first == second)) * shells)
        for (first, second), count in counts.items()
    }
    return PairDistribution(edges, values)


def _count(
    scaled: NDArray[np.float64],
    members: tuple[NDArray[np.int64], NDArray[np.int64]],
    cell: NDArray[np.float64],
    heights: NDArray[np.float64],
    edges: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return how many ordered pairs of atoms, their images included, fall into each bin of distance, shape [n_bins]."""
    first, second = members
    n_bins, radius = len(edges) - 1, edges[-1]
    # A nearest image has scaled coordinates of at most ½ each, so that one n cells further is at least n - ½ away.
    reach = [ceil(radius / height + 0.5 - 1e-9) - 1 for height in heights]
    shifts = np.array(list(product(*(range(-n, n + 1) for n in reach))), dtype=float) @ cell
    counts = np.zeros(n_bins, dtype=np.int64)
    rows = max(1, CHUNK // len(second))
    for start in range(0, len(first), rows):
        part = first[start : start + rows]
        differences = (scaled[part].T[:, :, None] - scaled[second].T[:, None, :]).reshape(3, -1)
        differences -= np.rint(differences)
        nearest = cell.T @ differences
        if first is second:
            # An atom is no neighbour of itself, but its images are.
            counts[0] -= len(part)
        for shift in shifts:
            x, y, z = nearest + shift[:, None]
            squares = x * x + y * y + z * z
            bins = (np.sqrt(squares[squares < radius**2]) * (n_bins / radius)).astype(np.int64)
            counts += np.bincount(np.minimum(bins, n_bins - 1), minlength=n_bins)
    return counts.astype(float)

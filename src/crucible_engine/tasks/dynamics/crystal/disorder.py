"""How far atoms are from the sites of the structure in which a run began, collective displacements apart."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from numpy.typing import NDArray

from crucible_engine.tasks.dynamics.crystal.neighbours import Neighbours, find_neighbours

COLLECTIVE_SITES = 2.0
"""A sublattice that moves as a whole has left its sites at so many times the limit of disorder: twice the amplitude of
a large ferroelectric displacement, as at a switching, is no loss of the crystal."""
MEAN_OVER_MEDIAN = 3 / 2.365974
"""Of χ² with three degrees of freedom."""
PEAK_RANGE = 1.25
"""Bragg peaks are looked for up to so many times 2π over the cube root of the volume of an atom: as far as the first
strong ones of fcc, bcc, hcp, diamond, rock salt, caesium chloride and perovskite."""
STRONG_PEAK, MOST_PEAKS = 0.5, 32
"""A strong peak has so much of the intensity of the strongest; so many peaks are followed at most."""


class SiteDisorder:
    """The Lindemann ratio of each species, relative to a reference structure.

    The displacement u of an atom is taken without the strain (scaled coordinates in the present cell, minus those of
    the reference) and without the drift of all atoms; for a cluster without its rotation (Kabsch, Acta Cryst. A 1976,
    32, 922). A species' ratio is the greater of two lengths, over its mean nearest-neighbour distance (of any species):

    - the disorder, from ½(u_i - u_j)² over its like neighbours i, j in the reference: the modified Lindemann
      parameter of Bedanov, Gadiyak and Lozovik, Phys. Lett. A 1985, 109, 289, in three dimensions. Its median is taken
      and scaled such that independent Gaussian displacements give their root mean square, which is the length of
      Lindemann, Phys. Z. 1910, 11, 609: a few atoms that wander, however far, do not count for all. What like
      neighbours do together (switching of a polarization, a soft mode of long waves, a displacive transition, the
      shift of a sublattice) is no part of it;
    - the shift of the whole species against the crystal, over :data:`COLLECTIVE_SITES`: all that can be seen of
      a species with one atom in the cell.
    """

    def __init__(self, reference: Atoms, neighbours: Neighbours) -> None:
        self.numbers = np.unique(reference.numbers)
        self.symbols: list[str] = [chemical_symbols[number] for number in self.numbers]
        self._kind = np.searchsorted(self.numbers, reference.numbers)
        self._count = np.bincount(self._kind)
        self._positions: NDArray[np.float64] = reference.positions.copy()
        self._is_cluster = not reference.pbc.any()
        volume = abs(np.linalg.det(reference.cell.array))
        self._inverse = np.linalg.inv(reference.cell.array) if volume > 1e-9 else None
        self.nearest: NDArray[np.float64] = np.bincount(self._kind, neighbours.nearest) / self._count
        """Mean nearest-neighbour distance of each species, Å [n_species]."""
        self._first, self._second = _like_pairs(reference)
        bounds = np.searchsorted(self._kind[self._first], np.arange(len(self.numbers) + 1))
        self._pairs = [slice(begin, end) for begin, end in itertools.pairwise(bounds)]

    def displacements(self, positions: NDArray[np.float64], cell: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the displacements without strain and drift (of a cluster: and rotation), Å [n_atoms, 3].

        :param positions: unwrapped, Å [n_atoms, 3].
        :param cell: the present one, Å [3, 3].
        """
        sites = self._positions
        if self._inverse is not None:
            sites = sites @ (self._inverse @ cell)
        if self._is_cluster:
            sites = sites - sites.mean(axis=0)
            positions = positions - positions.mean(axis=0)
            left, _, right = np.linalg.svd(sites.T @ positions)
            left[:, -1] *= np.sign(np.linalg.det(left) * np.linalg.det(right))
            sites = sites @ (left @ right)
        moved = positions - sites
        return np.asarray(moved - moved.mean(axis=0))

    def lindemann(self, positions: NDArray[np.float64], cell: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the ratio of each species, see the class, [n_species]."""
        moved = self.displacements(positions, cell)
        # np.take is several times faster than an index in brackets.
        apart = np.take(moved, self._first, axis=0) - np.take(moved, self._second, axis=0)
        squares = np.einsum("pk,pk->p", apart, apart) / 2
        disorder = np.sqrt(MEAN_OVER_MEDIAN * np.array([_median(squares[pairs]) for pairs in self._pairs]))
        shift = np.stack([np.bincount(self._kind, moved[:, axis]) for axis in range(3)]) / self._count
        collective = np.linalg.norm(shift, axis=0) / COLLECTIVE_SITES
        return np.asarray(np.maximum(disorder, collective) / self.nearest)


def _like_pairs(atoms: Atoms) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs of different atoms of one species of which one is a nearest one of that species to the other."""
    pairs = [np.empty((0, 2), dtype=np.intp)]
    for number in np.unique(atoms.numbers):
        members = np.flatnonzero(atoms.numbers == number)
        if len(members) > 1:
            # The few atoms of a rare species are far apart: each species is looked for by itself.
            found = find_neighbours(atoms[members], images=False)
            both_ways = np.sort(np.stack([found.first, found.second], axis=1), axis=1)
            pairs.append(members[np.unique(both_ways, axis=0)])
    first, second = np.concatenate(pairs).T
    return np.ascontiguousarray(first), np.ascontiguousarray(second)


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) if len(values) else 0.0


@dataclass(frozen=True)
class BraggOrder:
    """The strong Bragg peaks of the reference structure, and what is left of them.

    Atoms that exchange sites leave them as they are, a liquid has none: the translational order parameter by which
    Verlet followed melting (Phys. Rev. 1967, 159, 98), with the intensities |Σ exp(i G·x)|²/N² of the reference's own
    strongest peaks.

    :param peaks: Miller indices of the supercell [n_peaks, 3].
    :param intensity: their mean intensity in the reference.
    """

    peaks: NDArray[np.int64]
    intensity: float
    n_atoms: int

    @classmethod
    def of(cls, reference: Atoms) -> BraggOrder | None:
        """Return the order of a crystal; ``None`` where the structure is not periodic in three directions."""
        if not reference.pbc.all() or reference.get_volume() < 1e-9:
            return None
        # An axis along which atoms are many has many indices: it is the one that is not tabulated.
        axes = np.argsort(-reference.cell.lengths(), kind="stable")
        indices, intensities = _intensities(reference.get_scaled_positions(wrap=False)[:, axes], reference, axes)
        if not len(indices):
            return None
        strong = np.flatnonzero(intensities >= STRONG_PEAK * intensities.max())
        # Rounded, for equal peaks are to come in one order whatever the arithmetic.
        order = strong[np.argsort(-intensities[strong].round(6), kind="stable")][:MOST_PEAKS]
        return cls(indices[order], float(intensities[order].mean()), len(reference))

    def remaining(self, positions: NDArray[np.float64], cell: NDArray[np.float64]) -> float:
        """Return the mean intensity of the peaks over that in the reference.

        :param positions: Å [n_atoms, 3].
        """
        phases = 2j * np.pi * ((positions @ np.linalg.inv(cell)) @ self.peaks.T)
        amplitudes = np.exp(phases).mean(axis=0)
        return float((np.abs(amplitudes) ** 2).mean() / self.intensity)


def _intensities(
    scaled: NDArray[np.float64], reference: Atoms, axes: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return Miller indices [n, 3] of one half of reciprocal space without its origin, and |S|²/N² [n]."""
    reciprocal = reference.cell.reciprocal().array[axes]
    limit = PEAK_RANGE * (len(reference) / reference.get_volume()) ** (1 / 3)
    most = np.floor(limit * reference.cell.lengths()[axes]).astype(int)
    second, third = (np.arange(-m, m + 1) for m in most[1:])
    waves = [np.exp(2j * np.pi * np.outer(h, scaled[:, k])) for k, h in ((1, second), (2, third))]
    indices, intensities = [], []
    for h in range(most[0] + 1):
        amplitudes = (waves[0] * np.exp(2j * np.pi * h * scaled[:, 0])) @ waves[1].T / len(reference)
        k, m = (grid.ravel() for grid in np.meshgrid(second, third, indexing="ij"))
        triples = np.stack([np.full_like(k, h), k, m], axis=1)
        length = np.linalg.norm(triples @ reciprocal, axis=1)
        kept = (length <= limit) & triples.any(axis=1)
        unsorted = np.empty_like(triples[kept])
        unsorted[:, axes] = triples[kept]
        indices.append(unsorted)
        intensities.append(np.abs(amplitudes.ravel()[kept]) ** 2)
    return np.concatenate(indices), np.concatenate(intensities)

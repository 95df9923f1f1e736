"""The nearest neighbours of the atoms of a structure of any density, and which atoms have lost all of theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

SHELL = 1.2
"""Neighbours are those up to so many times as far away as the nearest one."""
FIRST_CUTOFF = 1.36
"""Cutoff of the first search over the cube root of the volume of an atom: it reaches all neighbours of fcc and bcc."""
GROWTH = 1.4
"""By how much a search widens where it found too few."""
MARGIN = 3.0
"""Å around the atoms that count as their volume where the cell has more."""

LOST = 2.0
"""An atom is lost without a neighbour within so many times its nearest-neighbour distance in the reference."""

LEAST_REACH = 4.0
"""Å: an atom with a neighbour as near as that is not lost, however short the reference's bonds are (H2)."""

AWAY_SPANS, AWAY = 2.0, 10.0
"""A piece is gone that is further from the middle of a slab or cluster than so many times its radius and so many Å."""


@dataclass(frozen=True)
class Neighbours:
    """Pairs of neighbours, each in both directions where both are near enough.

    :param first: index of the one whose neighbour it is [n_pairs].
    :param second: index of the neighbour [n_pairs].
    :param shift: lattice translations to the neighbour's image [n_pairs, 3].
    :param distance: Å [n_pairs].
    :param nearest: distance of each atom's nearest neighbour, infinite where it has none, Å [n_atoms].
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    shift: NDArray[np.int64]
    distance: NDArray[np.float64]
    nearest: NDArray[np.float64]


def find_neighbours(atoms: Atoms, images: bool = True) -> Neighbours:
    """Return the neighbours of each atom up to :data:`SHELL` times the distance of its nearest.

    :param images: whether an atom's own image is a neighbour of it.
    """
    for cutoff in _cutoffs(atoms):
        first, second, shift, distance = neighbor_list("ijSd", atoms, cutoff)
        nearest = np.full(len(atoms), np.inf)
        is_other = (first != second) | images
        np.minimum.at(nearest, first[is_other], distance[is_other])
        if np.all(SHELL * nearest <= cutoff):
            break
    kept = is_other & (distance <= SHELL * nearest[first])
    return Neighbours(first[kept], second[kept], shift[kept], distance[kept], nearest)


def _cutoffs(atoms: Atoms) -> list[float]:
    """Return the cutoffs to try, the last of which reaches every atom and the nearest images."""
    spans: NDArray[Any] = np.ptp(atoms.positions, axis=0)
    volume, cell_volume = float(np.prod(spans + MARGIN)), atoms.cell.volume
    if atoms.pbc.all():
        volume = min(volume, cell_volume)
    first = FIRST_CUTOFF * (volume / len(atoms)) ** (1 / 3)
    # Half a diagonal reaches any atom's nearest image; for an atom without neighbours one more search is made.
    furthest = SHELL * float(np.linalg.norm(spans) + np.linalg.norm(atoms.cell.array[atoms.pbc]))
    count = max(0, int(np.ceil(np.log(max(furthest, first) / first) / np.log(GROWTH))))
    return [first * GROWTH**power for power in range(count + 1)]


class NeighbourTracker:
    """Each atom's nearest neighbour; another one is looked for only when it has gone.

    An atom is lost that has no neighbour within the greater of :data:`LOST` times its nearest-neighbour distance in the
    reference and :data:`LEAST_REACH`, or that in the directions that are not periodic is further from the centre of all
    atoms than :data:`AWAY_SPANS` times the reference's radius and :data:`AWAY` more.
    """

    def __init__(self, reference: Atoms, neighbours: Neighbours) -> None:
        self._pbc = reference.pbc.copy()
        nearest = neighbours.nearest
        # An atom that is alone from the beginning cannot be lost.
        self._reach = np.where(np.isfinite(nearest), np.maximum(LOST * nearest, LEAST_REACH), np.inf)
        self._partner = np.arange(len(reference))
        self._shift = np.zeros((len(reference), 3), dtype=np.int64)
        order = np.argsort(-neighbours.distance, kind="stable")
        # The last assignment to an atom stays: that of its nearest.
        self._partner[neighbours.first[order]] = neighbours.second[order]
        self._shift[neighbours.first[order]] = neighbours.shift[order]
        self._outward = _outward(reference)
        self._radius = AWAY_SPANS * self._radii(reference.positions).max() + AWAY

    def _radii(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.linalg.norm((positions - positions.mean(axis=0)) @ self._outward, axis=1))

    def lost(self, positions: NDArray[np.float64], cell: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the indices of the atoms that are lost.

        :param positions: Å [n_atoms, 3], wrapped or not, but each atom always in the same way.
        :param cell: the present one, Å [3, 3].
        """
        bond = np.take(positions, self._partner, axis=0) + self._shift @ cell - positions
        apart = np.flatnonzero(np.einsum("ik,ik->i", bond, bond) > self._reach**2)
        alone = [atom for atom in apart.tolist() if not self._find_neighbour(atom, positions, cell)]
        away = np.flatnonzero(self._radii(positions) > self._radius)
        return np.union1d(alone, away).astype(np.intp)

    def _find_neighbour(self, atom: int, positions: NDArray[np.float64], cell: NDArray[np.float64]) -> bool:
        bonds = positions - positions[atom]
        shifts = _images(bonds, cell, self._pbc, float(self._reach[atom]))
        squares = ((bonds + shifts @ cell) ** 2).sum(axis=2)
        squares[(np.arange(len(positions)) == atom) & ~shifts.any(axis=2)] = np.inf
        image, partner = np.unravel_index(np.argmin(squares), squares.shape)
        if squares[image, partner] > self._reach[atom] ** 2:
            return False
        self._partner[atom], self._shift[atom] = partner, shifts[image, partner]
        return True

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what changes: ``partner`` [n_atoms] and ``shift`` [n_atoms, 3]."""
        return {"partner": self._partner.copy(), "shift": self._shift.copy()}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned."""
        self._partner = np.array(state["partner"], dtype=np.intp)
        self._shift = np.array(state["shift"], dtype=np.int64)


def _outward(reference: Atoms) -> NDArray[np.float64]:
    """Return the projector on the directions in which a structure is not periodic [3, 3]."""
    vectors = reference.cell.array[reference.pbc]
    if not len(vectors):
        return np.eye(3)
    _, _, axes = np.linalg.svd(vectors)
    free = axes[len(vectors) :]
    return np.asarray(free.T @ free)


def _images(
    bonds: NDArray[np.float64], cell: NDArray[np.float64], pbc: NDArray[np.bool_], reach: float
) -> NDArray[np.int64]:
    """Return the lattice translations [n_images, n_atoms, 3] among which all bonds shorter than ``reach`` are."""
    if not pbc.any():
        return np.zeros((1, len(bonds), 3), dtype=np.int64)
    completed = cell.copy()
    _, _, axes = np.linalg.svd(cell[pbc])
    completed[~pbc] = axes[pbc.sum() :]
    inverse = np.linalg.inv(completed)
    nearest = np.where(pbc, -np.rint(bonds @ inverse), 0).astype(np.int64)
    # A column of the inverse is one over the distance of two lattice planes.
    ranges = np.where(pbc, np.floor(reach * np.linalg.norm(inverse, axis=0) + 0.5), 0).astype(int)
    offsets = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in ranges), indexing="ij"), axis=-1).reshape(-1, 3)
    return np.asarray(nearest[None] + offsets[:, None])

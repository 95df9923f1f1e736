"""The nearest neighbours of the atoms of a structure, however dense or thin it is."""

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
    # Half a diagonal reaches any atom's nearest image; one wholly alone is looked for in vain but once more.
    furthest = SHELL * float(np.linalg.norm(spans) + np.linalg.norm(atoms.cell.array[atoms.pbc]))
    count = max(0, int(np.ceil(np.log(max(furthest, first) / first) / np.log(GROWTH))))
    return [first * GROWTH**power for power in range(count + 1)]

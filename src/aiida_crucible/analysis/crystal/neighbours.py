"""Distances to nearest neighbours in a periodic structure, its own images included."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray


def nearest_distances(atoms: Atoms) -> NDArray[np.float64]:
    """Return the distance of each atom to its nearest neighbour of any species, Å, shape [n_atoms].

    :param atoms: periodic in three directions; atoms on top of each other are 0 Å apart.
    """
    cutoff = 1.5 * (atoms.get_volume() / len(atoms)) ** (1 / 3)
    distances = np.full(len(atoms), np.inf)
    while not np.isfinite(distances).all():
        first, lengths = neighbor_list("id", atoms, cutoff)
        np.minimum.at(distances, first, lengths)
        cutoff *= 1.5
    return distances

"""Nearest neighbours in a periodic structure, its own images included."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

SHELL_WIDTH = 0.1
"""Part of the shortest distance by which neighbours of one shell may differ."""

FIRST_CUTOFF, GROWTH = 1.5, 1.5
"""Cutoff of a first search over the cube root of the volume of a neighbour, and by how much one grows that finds none
for some atom."""

Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


def nearest_distances(atoms: Atoms) -> NDArray[np.float64]:
    """Return the distance of each atom to its nearest neighbour of any species, Å, shape [n_atoms].

    :param atoms: periodic in three directions; atoms on top of each other are 0 Å apart.
    """
    every = np.ones(len(atoms), dtype=bool)
    return _search(atoms, every, every, 0.0)[1]


def nearest_of_species(reference: Atoms, species: str) -> Pairs:
    """Return the shell of nearest neighbours of ``species`` round every atom of another species, images included.

    :return: atom, neighbour, and the vector from the one to the other (Å), shapes [n_pairs], [n_pairs], [n_pairs, 3].
    """
    is_species = np.array(reference.get_chemical_symbols()) == species
    (first, second, vectors), shortest = _search(reference, ~is_species, is_species, SHELL_WIDTH)
    near = np.linalg.norm(vectors, axis=1) <= shortest[first] * (1 + SHELL_WIDTH)
    return first[near], second[near], vectors[near]


def _search(
    atoms: Atoms, are_asked: NDArray[np.bool_], are_neighbours: NDArray[np.bool_], margin: float
) -> tuple[Pairs, NDArray[np.float64]]:
    """Return the pairs of some atoms with some others, up to a margin beyond all nearest ones, and shortest distances.

    :return: indices and vectors (Å) as :func:`nearest_of_species` has them, and for each atom the distance of its
        nearest neighbour, Å, infinite for those that are not asked, shape [n_atoms].
    """
    cutoff = FIRST_CUTOFF * (atoms.get_volume() / are_neighbours.sum()) ** (1 / 3)
    while True:
        first, second, lengths, vectors = neighbor_list("ijdD", atoms, cutoff * (1 + margin))
        wanted = are_neighbours[second] & are_asked[first]
        first, second, lengths, vectors = first[wanted], second[wanted], lengths[wanted], vectors[wanted]
        shortest = np.full(len(atoms), np.inf)
        np.minimum.at(shortest, first, lengths)
        if (shortest[are_asked] <= cutoff).all():
            return (first, second, vectors), shortest
        cutoff *= GROWTH

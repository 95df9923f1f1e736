"""Nearest neighbours in a periodic structure, its own images included."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from crucible_engine.tasks.dynamics.crystal.neighbours import find_neighbours

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
    return find_neighbours(atoms).nearest


def nearest_of_species(reference: Atoms, species: str) -> Pairs:
    """Return the shell of nearest neighbours of ``species`` round every atom of another species, images included.

    :return: atom, neighbour, and the vector from the one to the other (Å), shapes [n_pairs], [n_pairs], [n_pairs, 3].
    """
    is_species = np.array(reference.get_chemical_symbols()) == species
    cutoff = FIRST_CUTOFF * (reference.get_volume() / is_species.sum()) ** (1 / 3)
    while True:
        first, second, lengths, vectors = neighbor_list("ijdD", reference, cutoff * (1 + SHELL_WIDTH))
        wanted = is_species[second] & ~is_species[first]
        first, second, lengths, vectors = first[wanted], second[wanted], lengths[wanted], vectors[wanted]
        shortest = np.full(len(reference), np.inf)
        np.minimum.at(shortest, first, lengths)
        if (shortest[~is_species] <= cutoff).all():
            near = np.linalg.norm(vectors, axis=1) <= shortest[first] * (1 + SHELL_WIDTH)
            return first[near], second[near], vectors[near]
        cutoff *= GROWTH

"""How many bytes of arrays a job was to write, at the most: known from its inputs before anything is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiida_crucible.calculations.dynamics.size import size_of

VALUE = 8
"""Bytes of a number."""
CHARACTER = 4
"""Bytes of a character of an array of text."""


def bytes_of_properties(sizes: Sequence[int]) -> int:
    """Return the bytes of energies, forces, stresses and numbers of atoms.

    :param sizes: numbers of atoms, one for each structure.
    """
    return VALUE * (len(sizes) * (1 + 6 + 1) + 3 * sum(sizes))


def bytes_of_geometries(sizes: Sequence[int]) -> int:
    """Return the bytes of relaxed geometries, their masses and their properties.

    :param sizes: numbers of atoms, one for each structure.
    """
    return bytes_of_properties(sizes) + VALUE * (9 * len(sizes) + (3 + 1) * sum(sizes))


def bytes_of_trajectories(sizes: Sequence[int], labels: Iterable[str], parameters: Mapping[str, Any]) -> int:
    """Return the bytes of the trajectories of relaxations: step 0, every n-th and the last one of each.

    :param sizes: numbers of atoms, one for each structure.
    :param labels: of the structures.
    :param parameters: the validated parameters of ``relax``.
    """
    n_frames: int = parameters["max_steps"] // parameters["trajectory_interval"] + 2
    text = CHARACTER * max(map(len, labels))
    return n_frames * (bytes_of_geometries(sizes) + len(sizes) * (VALUE + text))


def bytes_of_map(n_frames: int) -> int:
    """Return the bytes of a kernel, a map with as many coordinates at the most, and what names its frames.

    :param n_frames: how many were given.
    """
    return VALUE * (2 * n_frames**2 + 5 * n_frames)


def bytes_of_dynamics(sizes: Sequence[int], parameters: Mapping[str, Any]) -> int:
    """Return the bytes of series, frames, averages and last states, or of what a killed run left of them.

    :param sizes: numbers of atoms, one for each replica.
    :param parameters: the validated parameters of ``dynamics``.
    """
    size = size_of(parameters, sizes)
    # Rows of the end that no interval hits, and what a checkpoint holds of each atom.
    return 2 * (size.retrieved + size.series) + VALUE * sum(100 * n_atoms + 1000 for n_atoms in sizes)

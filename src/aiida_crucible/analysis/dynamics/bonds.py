"""Whether a molecule or a slab keeps its bonds in a hot run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.finite import bonds

FEWEST_FRAMES = 10
"""Whose mean tells something of a bond."""

BROKEN = 1.5
"""A bond whose mean length grows beyond this times its own is broken: no thermal expansion is near to that."""


@dataclass(frozen=True)
class Bonds:
    """What became of the bonds.

    :param number: of bonds at the beginning.
    :param broken: of those, at the end.
    :param worst: the longest one, e.g. ``O1-H2: 2.31 Å, was 0.97 Å``; empty where there is none.
    """

    number: int
    broken: int
    worst: str


def observe_bonds(atoms: Atoms, positions: NDArray[np.float64], discard: float = 0.5) -> Bonds:
    """Return what became of the bonds, by the mean of their lengths; of fewer than ten frames nothing is told.

    :param atoms: at rest: which atoms are bonded.
    :param positions: of a run that began there, not wrapped into the cell, which was fixed, Å, [n_frames, n_atoms, 3].
    :param discard: share of the frames that is left out at the beginning.
    """
    pairs, images, lengths = bonds(atoms)
    kept = positions[int(discard * len(positions)) :]
    if not len(pairs) or len(kept) < FEWEST_FRAMES:
        return Bonds(0, 0, "")
    arms = kept[:, pairs[:, 1]] - kept[:, pairs[:, 0]] + images @ atoms.cell.array
    means = np.linalg.norm(arms, axis=-1).mean(axis=0)
    ratios = means / lengths
    worst = int(np.argmax(ratios))
    first, second = (f"{atoms.symbols[index]}{index + 1}" for index in pairs[worst])
    told = f"{first}-{second}: {means[worst]:.3g} Å, was {lengths[worst]:.3g} Å"
    return Bonds(len(pairs), int(np.sum(ratios > BROKEN)), told)


def longest_change(before: Atoms, after: Atoms) -> tuple[float, str]:
    """Return the largest relative change of a bond by relaxing, and which bond it is; 0 where nothing is bonded."""
    pairs, images, lengths = bonds(before)
    if not len(pairs):
        return 0.0, "nothing is bonded"
    arms = after.positions[pairs[:, 1]] - after.positions[pairs[:, 0]] + images @ after.cell.array
    changes = np.linalg.norm(arms, axis=1) / lengths - 1
    worst = int(np.argmax(np.abs(changes)))
    first, second = (f"{before.symbols[index]}{index + 1}" for index in pairs[worst])
    return float(changes[worst]), f"{first}-{second} is {lengths[worst] * (1 + changes[worst]):.3f} Å"

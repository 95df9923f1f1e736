"""Crystals of springs between nearest neighbours: their phonons are known in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms, units
from ase.neighborlist import neighbor_list
from rounding_noise import disturbed

SPACING = 3.0
THZ = np.sqrt(units._e * 1e20 / units._amu) / (2 * np.pi * 1e12)
"""THz of an oscillator of 1 eV/Å² and 1 amu."""


class SpringCrystal:
    """Atoms on a simple lattice; a spring along axis k pulls with ``springs[k]`` (eV/Å², one for each direction)."""

    def __init__(self, springs: Sequence[Sequence[float]], symbols: str = "Cu", spacing: Sequence[float] | None = None):
        self.springs = np.array(springs, dtype=float)
        self.spacing = np.array(spacing if spacing is not None else [SPACING] * 3)
        count = len(Atoms(symbols))
        positions = [[index * self.spacing[0], 0, 0] for index in range(count)]
        self.atoms = Atoms(symbols, positions=positions, cell=self.spacing * [count, 1, 1], pbc=True)

    def forces(self, ideal: Atoms, displaced: Atoms) -> np.ndarray:
        moved = displaced.positions - ideal.positions
        forces = np.zeros_like(moved)
        # Neighbours further away than the shortest spacing are found too, and sorted out by their direction.
        first, second, vectors = neighbor_list("ijD", ideal, 1.01 * self.spacing.max())
        for i, j, vector in zip(first, second, vectors, strict=True):
            axis = int(np.argmax(np.abs(vector)))
            if np.isclose(np.linalg.norm(vector), self.spacing[axis]) and np.isclose(
                abs(vector[axis]), self.spacing[axis]
            ):
                forces[i] += self.springs[axis] * (moved[j] - moved[i])
        return disturbed(forces)


def cubic(longitudinal: float, transverse: float) -> SpringCrystal:
    return SpringCrystal([[longitudinal if a == b else transverse for b in range(3)] for a in range(3)])


def chain(longitudinal: float, transverse: float, symbols: str = "Cu") -> SpringCrystal:
    """Chains along x that do not see each other."""
    return SpringCrystal([[longitudinal, transverse, transverse], [0, 0, 0], [0, 0, 0]], symbols)

"""ASE calculators with planted faults, for the family ``ase``."""

from __future__ import annotations

import numpy as np
from ase import units
from ase.calculators.calculator import all_changes
from ase.calculators.emt import EMT


class StressInGPa(EMT):
    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, list(properties), system_changes)
        self.results["stress"] = self.results["stress"] / units.GPa


def emt_with_stress_in_gpa():
    return StressInGPa()


class Lopsided(EMT):
    """An energy that depends on how the structure lies in the laboratory."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, list(properties), system_changes)
        squares = (atoms.positions - atoms.positions.mean(axis=0)) ** 2
        for name in ("energy", "free_energy"):
            self.results[name] += 0.2 * len(atoms) * squares[:, 2].sum() / squares.sum()


class SoftCore(EMT):
    """Two atoms alone that fall into each other."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, list(properties), system_changes)
        if len(atoms) == 2 and not atoms.pbc.any():
            distance = atoms.get_distance(0, 1)
            for name in ("energy", "free_energy"):
                self.results[name] = (distance - 2.0) ** 2 if distance > 1.7 else 0.09 - 100 * (1.7 - distance)


class Leaky(EMT):
    """Forces with a curl, which no energy has: they do work around each closed path."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, list(properties), system_changes)
        phases = 40.0 * np.roll(atoms.positions, 1, axis=1)
        self.results["forces"] = self.results["forces"] + 0.05 * np.sin(phases)


def with_heads(leaks=False):
    """Return EMT, or as its direct forces those that leak energy."""
    return Leaky() if leaks else EMT()


def lopsided():
    return Lopsided()


def soft_core():
    return SoftCore()


def leaky():
    return Leaky()

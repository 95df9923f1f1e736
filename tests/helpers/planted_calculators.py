"""ASE calculators with planted faults, for the family ``ase``."""

from __future__ import annotations

from ase import units
from ase.calculators.calculator import all_changes
from ase.calculators.emt import EMT


class StressInGPa(EMT):
    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, list(properties), system_changes)
        self.results["stress"] = self.results["stress"] / units.GPa


def emt_with_stress_in_gpa():
    return StressInGPa()

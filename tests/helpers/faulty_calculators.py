"""ASE calculators for the family ``ase``: some that fail as real models do, one that costs nothing."""

from __future__ import annotations

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT


class Faulty(Calculator):
    """EMT with a fault.

    :param fault: ``nan`` (no finite forces where the first atom is an Au), ``nan-after`` (none after ``calls`` calls),
        ``expand`` (a stress that blows the cell up for ever), ``raise`` (an error that nobody foresaw), ``memory`` and
        ``device-memory`` (too little of it, as Python and as torch say it).
    """

    implemented_properties = ("energy", "free_energy", "forces", "stress")

    def __init__(self, fault: str, calls: int = 0):
        super().__init__()
        self.fault, self.calls = fault, calls
        self.emt = EMT()

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.emt.reset()
        for name in ("energy", "forces", "stress"):
            self.results[name] = np.copy(self.emt.get_property(name, atoms))
        self.results["energy"] = float(self.results["energy"])
        self.calls -= 1
        if (self.fault == "nan" and atoms.numbers[0] == 79) or (self.fault == "nan-after" and self.calls < 0):
            self.results["forces"][:] = np.nan
        if self.fault == "expand":
            self.results["stress"] = np.array([-0.5, -0.5, -0.5, 0, 0, 0])
        if self.fault == "raise":
            raise LookupError("line 1\nof a message")
        if self.fault == "memory":
            raise MemoryError
        if self.fault == "device-memory":
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        self.results["free_energy"] = self.results["energy"]


class Empty(Calculator):
    """No interaction at all: costs nothing."""

    implemented_properties = ("energy", "free_energy", "forces", "stress")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results = {"energy": 0.0, "free_energy": 0.0, "forces": np.zeros((len(atoms), 3)), "stress": np.zeros(6)}


def empty() -> Calculator:
    """Return the calculator without interactions."""
    return Empty()


def faulty(**arguments) -> Calculator:
    """Return the calculator."""
    return Faulty(**arguments)

"""ASE calculators that answer right whenever they are asked anew, and wrong in a run; for the family ``ase``."""

from __future__ import annotations

from ase.calculators.calculator import all_changes
from ase.calculators.emt import EMT
from ase.neighborlist import NeighborList


class Tolerant(EMT):
    """Takes a structure for the one before, unless an atom has moved by more than a tolerance."""

    def check_state(self, atoms, tol=1e-15):
        return super().check_state(atoms, tol=0.02)


class Wrapping(EMT):
    """Brings the atoms that it is given back into the cell."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        atoms.wrap()
        super().calculate(atoms, list(properties), system_changes)


class BuiltOnce(NeighborList):
    """A neighbour list that stays what it was first."""

    def update(self, atoms):
        return super().update(atoms) if self.nl.nupdates == 0 else False


class OldNeighbours(EMT):
    """Makes its neighbour list anew for other species alone, and after a reset."""

    def initialize(self, atoms):
        super().initialize(atoms)
        self.nl = BuiltOnce([0.5 * self.rc_list] * len(atoms), skin=0.1, self_interaction=False, bothways=True)


class Tiring(EMT):
    """Gives other numbers, as consistent as the first ones, after so many calls."""

    def __init__(self, calls=1000):
        super().__init__()
        self.calls = calls

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, list(properties), system_changes)
        self.calls -= 1
        if self.calls < 0:
            self.results = {name: 1.01 * value for name, value in self.results.items()}


class NoStress(EMT):
    """Has energies and forces alone, and says so."""

    implemented_properties = ("energy", "free_energy", "energies", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, ["energy", "forces"], system_changes)
        self.results.pop("stress", None)


class NoStressAfterAll(NoStress):
    """Says that it has a stress, and has none."""

    implemented_properties = EMT.implemented_properties


class NoForces(NoStress):
    """Has energies alone."""

    implemented_properties = ("energy",)


def make(name, **arguments):
    """Return the calculator of a name."""
    return globals()[name](**arguments)

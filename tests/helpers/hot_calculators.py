"""ASE calculators for the family ``ase`` that fail where it is hot."""

from __future__ import annotations

import numpy as np
from ase import units
from ase.calculators.calculator import all_changes
from ase.calculators.emt import EMT

STIFFNESS = 6.5
"""eV/Å², what holds an atom of copper to its site: a component of its force has the mean square kT times this."""


class Hot(EMT):
    """EMT that fails as soon as forces are those of atoms hotter than a limit: no calculator is told of velocities.

    :param limit: K.
    :param fault: ``raise`` (the job fails) or ``nan`` (the physics does).
    """

    def __init__(self, limit: float, fault: str):
        super().__init__()
        self.limit, self.fault = limit, fault

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        if np.mean(self.results["forces"] ** 2) / (STIFFNESS * units.kB) > self.limit:
            if self.fault == "raise":
                raise LookupError("it is too hot")
            self.results["forces"] = np.full((len(atoms), 3), np.nan)


def hot(**arguments) -> Hot:
    """Return the calculator."""
    return Hot(**arguments)

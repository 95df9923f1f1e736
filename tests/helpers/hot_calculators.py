"""ASE calculators for the family ``ase`` that fail where it is hot."""

from __future__ import annotations

import numpy as np
from ase.calculators.calculator import all_changes
from ase.calculators.emt import EMT


class Hot(EMT):
    """EMT that fails as soon as the atoms are hotter than a limit.

    :param limit: K.
    :param fault: ``raise`` (the job fails) or ``nan`` (the physics does).
    """

    def __init__(self, limit: float, fault: str):
        super().__init__()
        self.limit, self.fault = limit, fault

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        if atoms.get_temperature() > self.limit:
            if self.fault == "raise":
                raise LookupError("it is too hot")
            self.results["forces"] = np.full((len(atoms), 3), np.nan)


def hot(**arguments) -> Hot:
    """Return the calculator."""
    return Hot(**arguments)

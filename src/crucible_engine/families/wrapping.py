"""An ASE calculator around another one, which it asks and never changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

PROPERTIES = ("energy", "free_energy", "forces", "stress")


class WrappingCalculator(Calculator):
    """Asks another calculator, with a structure of its own: nothing that one does to it comes back.

    Several of them may share one calculator, and each has its own memory of what it was asked last.
    """

    implemented_properties: tuple[str, ...] = PROPERTIES

    def __init__(self, inner: Calculator) -> None:
        super().__init__()
        self.inner = inner

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Ask the inner calculator for what is wanted, and keep what comes along."""
        super().calculate(atoms, properties, system_changes)
        self.results.update(self.ask(self.atoms, properties))

    def ask(self, atoms: Atoms, properties: Sequence[str]) -> dict[str, Any]:
        """Return copies of what the inner calculator says of a structure.

        :param atoms: the structure; it stays as it is.
        :raises ase.calculators.calculator.PropertyNotImplementedError: where the inner calculator has no such property.
        """
        bare = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        wanted = {name: self.inner.get_property(name, bare) for name in properties}
        came_along = getattr(self.inner, "results", {})
        found = {name: came_along[name] for name in PROPERTIES if name in came_along} | wanted
        return {name: _plain(name, value) for name, value in found.items()}


def _plain(name: str, value: Any) -> Any:
    """Return an energy as a number, forces and stress as an array of one's own, the latter in Voigt's order."""
    if name in ("energy", "free_energy"):
        return float(value)
    array = np.array(value, dtype=np.float64)
    return full_3x3_to_voigt_6_stress(array) if name == "stress" and array.shape == (3, 3) else array

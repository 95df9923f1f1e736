"""Calculators of the kinds of forces that are asked for, of a model that has both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator
from numpy.typing import NDArray

from crucible_engine.families.base import Model
from crucible_engine.families.calculators import FreshCalculators, WrappingCalculator
from crucible_engine.families.facts import CONSERVATIVE, DIRECT
from crucible_engine.tasks.dynamics.crystal.guard import GuardedCalculator


class PairedCalculator(WrappingCalculator):
    """Conservative forces, with a calculator of the direct ones beside them.

    :ivar direct: the latter.
    """

    def __init__(self, conservative: Calculator, direct: Calculator) -> None:
        super().__init__(conservative)
        self.direct = direct


class GuardedPair(GuardedCalculator):
    """Both kinds of forces, each guarded; energy and stress are those of the conservative ones."""

    def __init__(self, pair: PairedCalculator, volume: float) -> None:
        super().__init__(pair.inner, volume)
        self._direct = GuardedCalculator(pair.direct, volume)

    def direct_forces(self, atoms: Atoms) -> NDArray[Any]:
        """Return the direct forces, eV/Å, shape [n_atoms, 3].

        :raises LostError: if they mean nothing.
        """
        forces: NDArray[Any] = self._direct.get_property("forces", atoms)
        return forces


def guarded(calculator: Calculator, volume: float) -> GuardedCalculator:
    """Return a calculator that stops where numbers mean nothing, see :class:`GuardedCalculator`."""
    pair = isinstance(calculator, PairedCalculator)
    return GuardedPair(calculator, volume) if pair else GuardedCalculator(calculator, volume)


class ChosenCalculators(FreshCalculators):
    """Gives calculators of one kind of forces, and says which."""

    def __init__(self, model: Model, kind: str) -> None:
        super().__init__(model.with_forces(kind))
        self._kind = kind

    def describe(self) -> dict[str, Any]:
        """Return what a summary says: ``forces``, the kind."""
        return {"forces": self._kind}


class PairedCalculators:
    """Gives calculators of both kinds of forces.

    :ivar remember: whether one of them may keep something from one structure to the next.
    """

    def __init__(self, model: Model) -> None:
        self._conservative = FreshCalculators(model.with_forces(CONSERVATIVE))
        self._direct = FreshCalculators(model.with_forces(DIRECT))
        self.remember = self._conservative.remember or self._direct.remember

    def new(self) -> Calculator:
        """Return a pair that nothing was asked, or that forgets what it was."""
        return PairedCalculator(self._conservative.new(), self._direct.new())

    def describe(self) -> dict[str, Any]:
        """Return what a summary says: ``forces`` are ``both``."""
        return {"forces": "both"}


def calculators_of_forces(parameters: Mapping[str, Any], model: Model) -> FreshCalculators | PairedCalculators:
    """Return what gives the calculators of the forces that parameters of dynamics ask for.

    :raises EngineError: ``CAPABILITY_MISSING``, if the model has none of them.
    """
    if parameters["direct_steps"] is not None:
        return PairedCalculators(model)
    kind = parameters["forces"]
    return FreshCalculators(model) if kind is None else ChosenCalculators(model, kind)

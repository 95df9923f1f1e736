"""Calculators without a past, so that a job that is continued sees what an uninterrupted one saw."""

from __future__ import annotations

import copy

from ase.calculators.calculator import Calculator

from crucible_engine.families.base import Model


class FreshCalculators:
    """Gives a task a calculator to begin with, whenever it begins.

    A model whose answers depend on the structure alone keeps its calculator. One that may remember something (an ASE
    calculator of the user's own, with a neighbour list that is reused) gets a fresh one: a task asks for it at moments
    that are known beforehand, and continues from such a moment only.

    :param model: the model.
    """

    def __init__(self, model: Model) -> None:
        self.remember = model.remembers
        self._model = model
        self._pristine = copy.deepcopy(model.calculator()) if self.remember else None

    def new(self) -> Calculator:
        """Return a calculator that nothing was asked, or that forgets what it was."""
        return copy.deepcopy(self._pristine) if self.remember else self._model.calculator()

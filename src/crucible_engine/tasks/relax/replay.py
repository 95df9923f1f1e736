"""A model that remembers what it was asked before: what was recorded is answered again, all else is asked anew.

ASE's optimizers, its cell filter and ``FixSymmetry`` are deterministic. Run again from the beginning with the recorded
answers they come to the state in which they were interrupted, to the last bit, without anybody knowing what that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from numpy.typing import NDArray

from crucible_engine.families.base import NO_STRESS, is_periodic
from crucible_engine.families.calculators import FreshCalculators, WrappingCalculator

SAME_GEOMETRY = 1e-10
"""Å. Another machine rounds otherwise; what differs by more is another geometry."""
FRESH_INTERVAL = 10
"""A model that may remember something gets a fresh calculator every so many evaluations, counted from the first."""


@dataclass(frozen=True)
class Answer:
    """One evaluation.

    :param positions: Å, [n_atoms, 3].
    :param cell: Å, [3, 3].
    :param energy: eV.
    :param forces: eV/Å, [n_atoms, 3].
    :param stress: eV/Å³, Voigt, [6]; ``None`` where there is none.
    """

    positions: NDArray[np.float64]
    cell: NDArray[np.float64]
    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64] | None

    def is_of(self, atoms: Atoms) -> bool:
        """Return whether it is the evaluation of a geometry."""
        return bool(
            np.abs(self.positions - atoms.positions).max() <= SAME_GEOMETRY
            and np.abs(self.cell - atoms.cell.array).max() <= SAME_GEOMETRY
        )


class ReplayingCalculator(WrappingCalculator):
    """Answers from a record as long as it is asked the recorded geometries one after the other, then asks the model.

    :param recorded: the evaluations of an earlier run of the same task, from the first on.
    :param record: called with each new evaluation.
    """

    implemented_properties: tuple[str, ...] = ("energy", "forces", "stress")

    def __init__(
        self, calculators: FreshCalculators, recorded: Iterable[Answer], record: Callable[[Answer], None]
    ) -> None:
        super().__init__(calculators.new())
        self._calculators = calculators
        self._recorded: Iterator[Answer] = iter(recorded)
        self._record = record
        self._count = 0

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Evaluate a geometry once, with all that there is."""
        Calculator.calculate(self, atoms, properties, system_changes)
        if self._count and not system_changes:
            return  # there is no more than what was asked for already
        answer = self._recall()
        if answer is None:
            answer = self._evaluate()
            self._record(answer)
        self._count += 1
        self.results = {"energy": answer.energy, "forces": answer.forces}
        if answer.stress is not None:
            self.results["stress"] = answer.stress

    def _recall(self) -> Answer | None:
        answer = next(self._recorded, None)
        if answer is not None and answer.is_of(self.atoms):
            return answer
        self._recorded = iter(())
        return None

    def _evaluate(self) -> Answer:
        if self._calculators.remember and self._count % FRESH_INTERVAL == 0:
            self.inner = self._calculators.new()
        found = self._ask_all()
        return Answer(
            self.atoms.positions.copy(),
            self.atoms.cell.array.copy(),
            found["energy"],
            found["forces"],
            found.get("stress") if is_periodic(self.atoms) else None,
        )

    def _ask_all(self) -> dict[str, Any]:
        wanted = ("energy", "forces")
        if not is_periodic(self.atoms):
            return self.ask(self.atoms, wanted)
        try:
            return self.ask(self.atoms, ("stress", *wanted))
        except PropertyNotImplementedError:
            return self.ask(self.atoms, wanted)


def usable(n_evaluations: int, remember: bool) -> int:
    """Return how many of the first recorded evaluations a run may continue from.

    :param n_evaluations: how many are recorded.
    :param remember: whether the model may remember something: it is then continued where it gets a fresh calculator.
    """
    return n_evaluations // FRESH_INTERVAL * FRESH_INTERVAL if remember else n_evaluations


def stress_array(answer: Answer) -> NDArray[np.float64]:
    """Return the stress [6] of an evaluation; NaN where there is none."""
    return NO_STRESS if answer.stress is None else answer.stress

"""Quantities with their errors beside those of a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, NOT_ASKED, YES, Answer
from crucible_engine.wire.rules import Parameter, ParameterError, normalise, shown, suggestion


@dataclass(frozen=True)
class Compared:
    """A quantity beside its reference.

    :param name: as the reference calls it.
    :param computed: its value.
    :param error: how far off that may be; NaN where nobody knows.
    :param wanted: the reference's.
    :param allowed: largest deviation from it, in the same unit.
    """

    name: str
    computed: float
    error: float
    wanted: float
    allowed: float

    @property
    def answer(self) -> str:
        """Yes or no where all values within the error say the same."""
        deviation = abs(self.computed - self.wanted)
        if not isfinite(self.error):
            return CANNOT_TELL
        if deviation + self.error <= self.allowed:
            return YES
        return NO if deviation - self.error > self.allowed else CANNOT_TELL

    @property
    def excess(self) -> float:
        """How large the deviation is, in units of what is allowed."""
        return abs(self.computed - self.wanted) / self.allowed if self.allowed else float("inf")

    def told(self) -> str:
        """Return both values in words."""
        error = f" ± {self.error:.2g}" if isfinite(self.error) else " (error not known)"
        return f"{self.name.replace('_', ' ')} is {self.computed:.4g}{error} against {self.wanted:.4g}"


def answer_compared(question: str, compared: Sequence[Compared], reference: Mapping[str, Any]) -> Answer:
    """Return whether all quantities agree with the reference, by the worst of them.

    :param compared: none where there is nothing to compare with.
    """
    if not compared:
        return Answer(question, NOT_ASKED, "there is no reference")
    evidence = {
        "source": reference.get("source"),
        "deviations": {each.name: each.computed - each.wanted for each in compared},
        "allowed": {each.name: each.allowed for each in compared},
    }
    for word in (NO, CANNOT_TELL, YES):
        if own := [each for each in compared if each.answer == word]:
            return Answer(question, word, max(own, key=lambda each: each.excess).told(), evidence)
    raise AssertionError("an answer is one of three")


def check_values(reference: Mapping[str, Any], known: Mapping[str, Parameter], others: Sequence[str] = ()) -> None:
    """Refuse a reference that names what is not computed, or whose values are none.

    :param known: its numbers, by name.
    :param others: further names, which the caller checks.
    :raises ValueError: one line that says which name was meant, or which value is no such number.
    """
    names = ["source", *known, *others]
    for name, value in reference.items():
        if name not in names:
            raise ParameterError(f"the reference has no {name!r}: {suggestion(name, names)}")
        if name == "source" and not isinstance(value, str):
            raise ParameterError(f"the reference's source is {shown(value)}: give text")
        if name in known:
            normalise(f"the reference's {name}", known[name], value)


def finite(value: float) -> float | None:
    """Return a number as a database takes it: ``None`` where it is none."""
    return float(value) if isfinite(value) else None

"""What goes into the detection of transitions, and what comes out."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

CRYSTAL_OUTCOMES = ("stable", "diffusive")
FAILED_OUTCOMES = ("atoms-lost", "exploded", "non-finite")
MELTED = "melted"


class Kind(str, enum.Enum):
    """What happens at a transition."""

    FIRST_ORDER = "first-order"
    CONTINUOUS = "continuous"
    UNDETERMINED_ORDER = "undetermined-order"
    MELTING = "melting"


class Status(str, enum.Enum):
    """What a sweep says of transitions in its range."""

    FOUND = "found"
    NONE = "no-transition"
    CANNOT_TELL = "cannot-tell"


@dataclass(frozen=True)
class SweepRun:
    """What a run at one temperature gave.

    :param temperature: K.
    :param outcome: of the run, a word of ``crucible_engine.wire.schema.OUTCOMES_OF_DYNAMICS``.
    :param observables: mean and standard error by name, any units; order parameters as magnitudes.
    :param space_group: number of the mean structure's, where known.
    :param robust: whether that number holds over a range of tolerances.
    :param short: observables of too few independent values, which are not among ``observables``: by name how many steps
        would give enough, None where that is not known.
    :param fixed: observables that the space group fixes, where it is robust.
    :param artefact: why the end of the run may come from its settings and not from the crystal; empty where it does
        not.
    """

    temperature: float
    outcome: str
    observables: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    space_group: int | None = None
    robust: bool = False
    short: Mapping[str, float | None] = field(default_factory=dict)
    fixed: Sequence[str] = ()
    artefact: str = ""


@dataclass(frozen=True)
class Transition:
    """One transition, upward in temperature.

    :param temperature: best estimate, K.
    :param interval: where it lies with the stated confidence, K; an end beyond the sweep is None.
    :param confidence: of the interval. A bracket by two runs holds as surely as the runs are what they are.
    :param space_group_below: robust space group of the phase below, or None.
    :param space_group_above: of the phase above.
    :param reason: one line for a person.
    """

    kind: Kind
    temperature: float
    interval: tuple[float | None, float | None]
    confidence: float
    space_group_below: int | None
    space_group_above: int | None
    evidence: dict[str, Any]
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain types, for JSON."""
        return {**asdict(self), "kind": self.kind.value, "interval": list(self.interval)}


@dataclass(frozen=True)
class TransitionReport:
    """All transitions of a sweep and the verdict on it.

    :param status: found (a transition between crystals, or melting), no-transition or cannot-tell.
    :param transitions: ascending in temperature.
    :param doubts: why the rest of the range cannot be told from having none, a line each; none where it can.
    :param remarks: what else a reader should know, a line each.
    """

    status: Status
    verdict: str
    transitions: Sequence[Transition]
    doubts: Sequence[str] = ()
    remarks: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain types, for JSON."""
        said = {"status": self.status.value, "verdict": self.verdict}
        lists = {"doubts": list(self.doubts), "remarks": list(self.remarks)}
        return {**said, "transitions": [transition.as_dict() for transition in self.transitions], **lists}

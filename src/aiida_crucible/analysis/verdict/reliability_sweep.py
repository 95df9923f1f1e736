"""Can this model be trusted with this material at finite temperature? What a temperature sweep answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_crucible.analysis.transitions.records import Kind
from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, NOT_ASKED, YES, Answer

CRYSTAL_TRANSITIONS = (Kind.FIRST_ORDER.value, Kind.CONTINUOUS.value, Kind.UNDETERMINED_ORDER.value)


def finite_temperature(sweep: Mapping[str, Any]) -> Answer:
    """Return whether the crystal survives at every temperature, and for how long.

    :param sweep: ``summary`` of ``crucible.sweep``.
    """
    stability = sweep["stability"]
    evidence = {**stability["evidence"], "runs": sweep["runs"]["reason"], "averages": sweep["averages"]["reason"]}
    return Answer(
        "Is the crystal stable over the range of temperatures?", stability["answer"], stability["reason"], evidence
    )


def averages(sweep: Mapping[str, Any]) -> Answer:
    """Return whether the runs were long enough for what they say on average.

    :param sweep: ``summary`` of ``crucible.sweep``.
    """
    return Answer(**sweep["averages"])


def transition(sweep: Mapping[str, Any], reference: Mapping[str, Any], tolerance: float) -> Answer:
    """Return whether the transition is the reference's, or, without a reference, whether there is one.

    The transition nearest to the reference's temperature counts. The answer is yes where its whole interval agrees, no
    where none of it does, and open where a part does.

    :param sweep: ``summary`` of ``crucible.sweep``.
    :param reference: with ``transition_temperature`` (K), or without.
    :param tolerance: relative deviation from it that is allowed.
    """
    report = sweep["transitions"]["evidence"]
    found = [item for item in report["transitions"] if item["kind"] in CRYSTAL_TRANSITIONS]
    wanted = reference.get("transition_temperature")
    evidence = {"transitions": report["transitions"], "reference": wanted, "source": reference.get("source")}
    if wanted is None:
        return _whether_any(sweep["transitions"], found, evidence)
    question = f"Is the transition temperature the reference's within {100 * tolerance:g} %?"
    if not found:
        answer = NO if _was_passed(sweep["stability"]["evidence"], report, wanted) else CANNOT_TELL
        return Answer(question, answer, f"{wanted:g} K was expected, but: {report['verdict']}", evidence)
    nearest = min(found, key=lambda item: abs(item["temperature"] - wanted))
    low, high = nearest["interval"]
    answer = _agreement(low, high, (1 - tolerance) * wanted, (1 + tolerance) * wanted)
    reason = f"{_phrase(nearest)} against {wanted:g} K ({100 * (nearest['temperature'] / wanted - 1):+.0f} %)"
    return Answer(question, answer, reason, evidence)


def _whether_any(told: Mapping[str, Any], found: list[Mapping[str, Any]], evidence: dict[str, Any]) -> Answer:
    question = "Does the crystal become another one in the range of temperatures?"
    report = told["evidence"]
    if found:
        return Answer(question, YES, "; ".join(_phrase(item) for item in found), evidence)
    if told["answer"] == NOT_ASKED:
        return Answer(question, NOT_ASKED, told["reason"], evidence)
    if report["doubts"]:
        return Answer(question, CANNOT_TELL, "; ".join(report["doubts"]), evidence)
    return Answer(question, NO, report["verdict"], evidence)


def _was_passed(stability: Mapping[str, Any], report: Mapping[str, Any], wanted: float) -> bool:
    """Return whether the sweep went past a temperature without the transition there, or melted the crystal before.

    A run that failed says nothing of either.
    """
    kept, lost = stability["crystal_temperatures"], stability["lost_temperatures"]
    if any(temperature <= wanted for temperature in lost):
        return True
    went_past = bool(kept) and min(kept) <= wanted <= max(kept)
    return went_past and not report["doubts"]


def _agreement(low: float | None, high: float | None, least: float, most: float) -> str:
    """Compare an interval, ``None`` where it is open, with the range that is allowed."""
    if (high is not None and high < least) or (low is not None and low > most):
        return NO
    return YES if low is not None and high is not None and least <= low and high <= most else CANNOT_TELL


def _phrase(item: Mapping[str, Any]) -> str:
    low, high = ("…" if end is None else f"{end:.0f}" for end in item["interval"])
    return f"{item['kind']} at {item['temperature']:.0f} K ({low} to {high} K)"

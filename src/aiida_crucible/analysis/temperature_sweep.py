"""What the runs of a sweep say together: curves over temperature, and one answer for each question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.analysis.answers import CANNOT_TELL, NO, YES, Answer
from aiida_crucible.analysis.sweep_settings import INDEPENDENT
from aiida_crucible.analysis.transition_models import Role
from aiida_crucible.analysis.transition_records import CRYSTAL_OUTCOMES, Status, SweepRun, TransitionReport
from aiida_crucible.analysis.transitions import detect_transitions

DONE, FAILED, NOT_RUN = "done", "failed", "not-run"

ROLES: dict[str, Role] = {
    "order_parameter": Role.ORDER_PARAMETER,
    "polarization": Role.ORDER_PARAMETER,
    "c_over_a": Role.STRAIN,
    "b_over_a": Role.STRAIN,
    "alpha": Role.STRAIN,
    "beta": Role.STRAIN,
    "gamma": Role.STRAIN,
    "volume": Role.VOLUME,
}
"""The averages in which a transition shows."""

TRANSITION_ANSWERS = {Status.FOUND: YES, Status.NONE: NO, Status.CANNOT_TELL: CANNOT_TELL}


@dataclass(frozen=True)
class TemperatureRecord:
    """What became of one temperature.

    :param label: of the run.
    :param temperature: K.
    :param state: ``done`` (whatever the physics said), ``failed`` (a job did) or ``not-run``.
    :param reason: one line: of the failure, of not being run, or what the watch saw.
    :param outcome: a word of :data:`crucible_engine.schema.OUTCOMES_OF_DYNAMICS`, of what is done.
    :param values: see :func:`aiida_crucible.analysis.temperature_run.analyse_run`; empty where nothing was averaged.
    """

    label: str
    temperature: float
    state: str
    reason: str
    outcome: str | None
    values: Mapping[str, Any]

    @property
    def is_crystal(self) -> bool:
        """Whether it was run and the crystal survived."""
        return self.state == DONE and self.outcome in CRYSTAL_OUTCOMES

    @property
    def is_lost(self) -> bool:
        """Whether it was run and the crystal was lost."""
        return self.state == DONE and not self.is_crystal

    @property
    def space_group(self) -> str | None:
        """The mean structure's, as ``P4mm (99)``; ``None`` where there is none."""
        group: str | None = self.values.get("mean_structure", {}).get("space_group")
        return group


def sweep_runs(records: Sequence[TemperatureRecord], mode: str) -> list[SweepRun]:
    """Return what a search for transitions takes of a sweep: its runs that are done, ascending in temperature.

    Averages that are the same everywhere or were fixed (a lattice at constant volume) are left out.

    :param mode: of the sweep.
    """
    done = [record for record in _ascending(records) if record.state == DONE]
    moving = [name for name in ROLES if any(_average(record, name).get("standard_deviation") for record in done)]
    return [
        SweepRun(
            temperature=record.temperature,
            outcome=str(record.outcome),
            observables={
                name: (_average(record, name)["mean"], _average(record, name)["standard_error"])
                for name in moving
                if _average(record, name).get("standard_error") is not None
            },
            space_group=_number(record.space_group),
            robust=bool(record.values.get("mean_structure", {}).get("robust")),
            direction=None if mode == INDEPENDENT else mode,
        )
        for record in done
    ]


def find_transitions(records: Sequence[TemperatureRecord], mode: str) -> TransitionReport:
    """Return the transitions in a sweep; where nothing ran there is nothing to tell.

    :param mode: of the sweep.
    """
    runs = sweep_runs(records, mode)
    if not runs:
        return TransitionReport(Status.CANNOT_TELL, "no temperature ran", [])
    return detect_transitions(runs, ROLES)


def curves(records: Sequence[TemperatureRecord]) -> dict[str, NDArray[np.float64]]:
    """Return every average over temperature, ascending, NaN where there is none.

    :return: ``temperatures`` (K), and for each average its name, name ``_error`` (standard error) and name
        ``_deviation`` (standard deviation), [n] each.
    """
    ordered = _ascending(records)
    names = dict.fromkeys(name for record in ordered for name in record.values.get("averages", {}))
    arrays = {"temperatures": np.array([record.temperature for record in ordered])}
    parts = {"": "mean", "_error": "standard_error", "_deviation": "standard_deviation"}
    for name in names:
        for suffix, key in parts.items():
            found = [_average(record, name).get(key) for record in ordered]
            arrays[name + suffix] = np.array([np.nan if value is None else value for value in found], dtype=float)
    return arrays


def answer_questions(
    records: Sequence[TemperatureRecord], transitions: TransitionReport, space_group: str | None
) -> dict[str, Any]:
    """Return the answers, by the questions' short names, as plain data.

    :param transitions: what the search found.
    :param space_group: of the structure that was given; ``None`` if it has none.
    """
    ordered = _ascending(records)
    answers = {
        "runs": _runs(ordered),
        "stability": _stability(ordered),
        "symmetry": _symmetry(ordered, space_group),
        "transitions": _transitions(transitions),
        "averages": _averages(ordered),
    }
    return {name: asdict(answer) for name, answer in answers.items()}


def _runs(records: Sequence[TemperatureRecord]) -> Answer:
    question = "Did every temperature run?"
    missing = {record.label: f"{record.state}: {record.reason}" for record in records if record.state != DONE}
    if not missing:
        return Answer(question, YES, f"all {len(records)} did")
    label, reason = next(iter(missing.items()))
    more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
    return Answer(question, NO, f"{label} {reason}{more}", {"missing": missing})


def _stability(records: Sequence[TemperatureRecord]) -> Answer:
    question = "Does the crystal survive at every temperature?"
    lost = [record for record in records if record.is_lost]
    kept = [record.temperature for record in records if record.is_crystal]
    evidence = {
        "outcomes": {record.label: record.outcome for record in records if record.state == DONE},
        "crystal_temperatures": kept,
        "lost_temperatures": [record.temperature for record in lost],
    }
    if lost:
        below = [temperature for temperature in kept if temperature < lost[0].temperature]
        start = f"a crystal up to {max(below):g} K" if below else "lost at the lowest temperature that was run"
        reason = f"{start}; at {lost[0].temperature:g} K {lost[0].outcome}: {lost[0].reason}"
        return Answer(question, NO, reason, evidence)
    if not kept or len(kept) < len(records):
        return Answer(question, CANNOT_TELL, f"{len(kept)} of {len(records)} temperatures ran", evidence)
    diffusive = [record for record in records if record.outcome == "diffusive"]
    reason = f"it does from {min(kept):g} to {max(kept):g} K"
    if diffusive:
        reason += f", though atoms wander from {diffusive[0].temperature:g} K: {diffusive[0].reason}"
    return Answer(question, YES, reason, evidence)


def _symmetry(records: Sequence[TemperatureRecord], space_group: str | None) -> Answer:
    question = "Does the mean structure keep the space group of the structure that was given?"
    found = {record.label: record.space_group for record in records if record.is_crystal}
    robust = {
        record.label: record.space_group
        for record in records
        if record.is_crystal and record.values.get("mean_structure", {}).get("robust")
    }
    evidence = {"given": space_group, "found": found, "robust": sorted(robust)}
    others = {label: group for label, group in robust.items() if group != space_group}
    if space_group is None or not robust:
        return Answer(question, CANNOT_TELL, "no space group holds over a range of tolerances", evidence)
    if others:
        label, group = next(iter(others.items()))
        return Answer(question, NO, f"{space_group} was given, {group} is found at {label}", evidence)
    if len(robust) < len(found):
        unclear = next(label for label in found if label not in robust)
        reason = f"{space_group} wherever it is clear, but at {unclear} it depends on the tolerance"
        return Answer(question, CANNOT_TELL, reason, evidence)
    return Answer(question, YES, f"{space_group} at all {len(found)} temperatures of the crystal", evidence)


def _transitions(report: TransitionReport) -> Answer:
    question = "Is there a transition in the range of temperatures?"
    return Answer(question, TRANSITION_ANSWERS[report.status], report.verdict, report.as_dict())


def _averages(records: Sequence[TemperatureRecord]) -> Answer:
    question = "Were the runs long enough for the errors of their averages to be believed?"
    averaged = [record for record in records if record.values.get("averages")]
    if not averaged:
        return Answer(question, CANNOT_TELL, "there is nothing that was averaged")
    short = {
        record.label: sorted(name for name, item in record.values["averages"].items() if item["warning"])
        for record in averaged
    }
    short = {label: names for label, names in short.items() if names}
    if not short:
        return Answer(question, YES, f"every average of {len(averaged)} temperatures is of enough independent values")
    label, names = max(short.items(), key=lambda item: len(item[1]))
    reason = f"{len(short)} of {len(averaged)} temperatures were short, {label} most: {', '.join(names)}"
    return Answer(question, NO, reason, {"short": short})


def _ascending(records: Sequence[TemperatureRecord]) -> list[TemperatureRecord]:
    return sorted(records, key=lambda record: record.temperature)


def _average(record: TemperatureRecord, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = record.values.get("averages", {}).get(name, {})
    return found


def _number(space_group: str | None) -> int | None:
    return None if space_group is None else int(space_group.rpartition("(")[2].rstrip(")"))

"""What the runs of a sweep say together: curves over temperature, and one answer for each question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.lattice_symmetry import STRAINS
from aiida_crucible.analysis.dynamics.temperature_record import DONE, TemperatureRecord, ascending, likely_cause
from aiida_crucible.analysis.transitions.detection import STEPS_NEEDED, detect_transitions
from aiida_crucible.analysis.transitions.records import Status, TransitionReport
from aiida_crucible.analysis.transitions.resolution import LEAST_TEMPERATURES
from aiida_crucible.analysis.transitions.sweep_observables import ROLES, SIZES, sweep_runs
from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, NOT_ASKED, YES, Answer

TRANSITION_ANSWERS = {Status.FOUND: YES, Status.NONE: NO, Status.CANNOT_TELL: CANNOT_TELL}

ROUNDING = 1e-9
"""Share of a duration that the arithmetic of steps and time steps may miss."""


def find_transitions(records: Sequence[TemperatureRecord]) -> TransitionReport:
    """Return the transitions in a sweep; where nothing ran there is nothing to tell."""
    runs = sweep_runs(records)
    if not runs:
        return TransitionReport(Status.CANNOT_TELL, "no temperature ran", [], ["no temperature ran"])
    return detect_transitions(runs, ROLES, SIZES)


def curves(records: Sequence[TemperatureRecord]) -> dict[str, NDArray[np.float64]]:
    """Return every average over temperature, ascending, NaN where there is none.

    :return: ``temperatures`` (K), and for each average its name, name ``_error`` (standard error) and name
        ``_deviation`` (standard deviation), [n] each.
    """
    ordered = ascending(records)
    names = dict.fromkeys(name for record in ordered for name in record.values.get("averages", {}))
    arrays = {"temperatures": np.array([record.temperature for record in ordered])}
    parts = {"": "mean", "_error": "standard_error", "_deviation": "standard_deviation"}
    for name in names:
        for suffix, key in parts.items():
            found = [record.average(name).get(key) for record in ordered]
            arrays[name + suffix] = np.array([np.nan if value is None else value for value in found], dtype=float)
    return arrays


def answer_questions(
    records: Sequence[TemperatureRecord],
    transitions: TransitionReport,
    space_group: str | None,
    stability_time: float,
) -> dict[str, Any]:
    """Return the answers, by the questions' short names, as plain data.

    :param space_group: of the structure that was given; ``None`` if it has none.
    :param stability_time: how long a crystal has to survive, ps.
    """
    ordered = ascending(records)
    answers = {
        "runs": _runs(ordered),
        "stability": _stability(ordered, stability_time),
        "symmetry": _symmetry(ordered, space_group),
        "transitions": _transitions(ordered, transitions),
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


def _stability(records: Sequence[TemperatureRecord], stability_time: float) -> Answer:
    question = "Does the crystal survive at every temperature?"
    lost = [record for record in records if record.is_lost]
    kept = [record for record in records if record.is_crystal]
    evidence = {
        "outcomes": {record.label: record.outcome for record in records if record.state == DONE},
        "crystal_temperatures": [record.temperature for record in kept],
        "lost_temperatures": [record.temperature for record in lost if not record.is_broken],
        "failed_temperatures": [record.temperature for record in lost if record.is_broken],
        "durations": {record.label: record.duration for record in kept},
        "stability_time": stability_time,
    }
    if lost:
        return Answer(question, NO, _how_lost(lost[0], kept), evidence)
    if not kept or len(kept) < len(records):
        return Answer(question, CANNOT_TELL, f"{len(kept)} of {len(records)} temperatures ran", evidence)
    span = f"from {kept[0].temperature:g} to {kept[-1].temperature:g} K"
    durations = [record.duration or 0.0 for record in kept]
    if min(durations) < stability_time * (1 - ROUNDING):
        cure = _steps_for(kept[durations.index(min(durations))], stability_time)
        reason = f"a crystal {span}, but for {min(durations):.3g} ps only: {stability_time:g} ps are asked{cure}"
        return Answer(question, CANNOT_TELL, reason, evidence)
    reason = f"it does {span}, for {min(durations):.3g} ps"
    diffusive = [record for record in kept if record.outcome == "diffusive"]
    if diffusive:
        reason += f", though atoms wander from {diffusive[0].temperature:g} K: {diffusive[0].reason}"
    return Answer(question, YES, reason, evidence)


def _how_lost(first: TemperatureRecord, kept: Sequence[TemperatureRecord]) -> str:
    """Return one line on the first temperature whose crystal was lost."""
    below = [record.temperature for record in kept if record.temperature < first.temperature]
    start = f"a crystal up to {max(below):g} K" if below else "lost at the lowest temperature that was run"
    cause = f" (likely cause: {likely_cause(first)})" if first.is_broken else ""
    return f"{start}; at {first.temperature:g} K {first.outcome}: {first.reason}{cause}"


def _steps_for(record: TemperatureRecord, duration: float) -> str:
    """Return how many steps a duration takes, where the time step is known."""
    time_step = record.values.get("time_step")
    return "" if time_step is None else f", {STEPS_NEEDED.format(ceil(duration * 1000 / time_step * (1 - ROUNDING)))}"


def _symmetry(records: Sequence[TemperatureRecord], space_group: str | None) -> Answer:
    question = "Does the mean structure keep the space group of the structure that was given?"
    found = {record.label: record.space_group for record in records if record.is_crystal}
    robust = {record.label: record.space_group for record in records if record.is_crystal and record.is_robust}
    evidence = {"given": space_group, "found": found, "robust": sorted(robust)}
    others = {label: group for label, group in robust.items() if group != space_group}
    if space_group is None or not robust:
        return Answer(question, CANNOT_TELL, "no space group holds over a range of tolerances", evidence)
    short = [label for label, names in _short_averages(records).items() if label in robust and set(names) & {*STRAINS}]
    if short:
        reason = f"the runs are too short for a mean lattice at {len(short)} temperatures, the first of them {short[0]}"
        return Answer(question, CANNOT_TELL, reason, evidence)
    if others:
        label, group = next(iter(others.items()))
        return Answer(question, NO, f"{space_group} was given, {group} is found at {label}", evidence)
    if len(robust) < len(found):
        unclear = next(label for label in found if label not in robust)
        reason = f"{space_group} wherever it is clear, but at {unclear} it depends on the tolerance"
        return Answer(question, CANNOT_TELL, reason, evidence)
    return Answer(question, YES, f"{space_group} at all {len(found)} temperatures of the crystal", evidence)


def _transitions(records: Sequence[TemperatureRecord], report: TransitionReport) -> Answer:
    """Answer what the search found; where there are too few temperatures for a search, the question is not asked."""
    question = "Is there a transition in the range of temperatures?"
    if report.status is Status.CANNOT_TELL and len(records) < LEAST_TEMPERATURES:
        reason = f"of {len(records)} temperatures it cannot be asked, {LEAST_TEMPERATURES} are needed"
        return Answer(question, NOT_ASKED, reason, report.as_dict())
    return Answer(question, TRANSITION_ANSWERS[report.status], report.verdict, report.as_dict())


def _averages(records: Sequence[TemperatureRecord]) -> Answer:
    question = "Were the runs long enough for the errors of their averages to be believed?"
    averaged = [record for record in records if record.values.get("averages")]
    if not averaged:
        return Answer(question, CANNOT_TELL, "there is nothing that was averaged")
    short = _short_averages(averaged)
    if not short:
        return Answer(question, YES, f"every average of {len(averaged)} temperatures is of enough independent values")
    label, names = max(short.items(), key=lambda item: len(item[1]))
    told = ", ".join(names).replace("_over_", "/")
    reason = f"{len(short)} of {len(averaged)} temperatures were short, {label} most: {told}"
    return Answer(question, NO, reason, {"short": short})


def _short_averages(records: Sequence[TemperatureRecord]) -> dict[str, list[str]]:
    """Return the averages of too few independent values, by run; runs without such are left out."""
    short = {
        record.label: sorted(name for name, item in record.values.get("averages", {}).items() if item["warning"])
        for record in records
    }
    return {label: names for label, names in short.items() if names}

"""Transitions in a temperature sweep of any material: which there are, of which kind, where, and how surely.

Crystalline runs are searched for transitions between crystals, see :mod:`transition_fits`; runs that melted or failed
bound that search from above, see :mod:`melting`; sweeps in both directions show hysteresis, see :mod:`hysteresis`.
Robust space groups name the phases, and a change of theirs is a transition even where no observable shows one.

The rules. A transition is found where the evidence for one is decisive (2 ln of the evidence ratio ≥ 20). It is
first-order or continuous where the evidence for that is strong (≥ 6) and three temperatures lie on each side, else of
undetermined order. "Continuous" says that no jump is resolved: none can be excluded that is smaller than the change
over one step of temperature. "No transition" needs five crystalline temperatures, no hint of one, and an observable
or a robust space group that would have shown it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from aiida_crucible.analysis.hysteresis import combine_directions, two_phases
from aiida_crucible.analysis.melting import find_failure, find_melting
from aiida_crucible.analysis.phase_groups import add_group_changes, group_between
from aiida_crucible.analysis.transition_kinds import Readings, describe_transition
from aiida_crucible.analysis.transition_models import Array, Role, prepare_series
from aiida_crucible.analysis.transition_records import (
    CRYSTAL_OUTCOMES,
    FAILED_OUTCOMES,
    MELTED,
    Kind,
    Status,
    SweepRun,
    Transition,
    TransitionReport,
)
from aiida_crucible.analysis.transition_search import find_all

LEAST_TEMPERATURES = 5
"""Crystalline temperatures below which the absence of a transition cannot be told."""

HINT = 15.0
"""2 ln of the evidence ratio for a transition that is too weak for one and too strong for none."""

RELATIVE_RESOLUTION = 0.2
"""Largest standard error, as a share of an order parameter's largest value, that can show its absence or presence."""

STRAIN_RESOLUTION = 0.005
"""Largest standard error of a distortion that can show its absence, whatever its size."""

Sweep = tuple[list[Transition], list[str], list[str]]
"""Transitions, why the rest of the range cannot be told from having none, and remarks."""


def detect_transitions(runs: Sequence[SweepRun], roles: Mapping[str, Role | str]) -> TransitionReport:
    """Return the transitions in a temperature sweep, or in one on heating and one on cooling.

    :param runs: in any order. With both directions among them each is searched by itself.
    :param roles: of the observables that count; others are not looked at. An order parameter is a magnitude that
        vanishes in one phase (displacement, polarization), a strain goes with its square (c/a - 1), a volume is per
        formula unit and expands.
    :raises ValueError: no run, a temperature that is no positive number, an unknown outcome, direction or role, a
        negative error, or two runs at one temperature and direction.
    """
    known = _checked(runs, roles)
    ways = {run.direction for run in runs}
    if ways != {"heating", "cooling"}:
        found, doubts, remarks = _search(sorted(runs, key=lambda run: run.temperature), known)
        return _report(found, doubts, remarks, runs)
    up, down = (
        _search(sorted((run for run in runs if run.direction == way), key=lambda run: run.temperature), known)
        for way in ("heating", "cooling")
    )
    found = combine_directions(up[0], down[0], [run for run in runs if run.outcome in CRYSTAL_OUTCOMES])
    remarks = [f"{way}: {line}" for way, part in (("heating", up), ("cooling", down)) for line in part[2]]
    differing = two_phases([run for run in runs if run.outcome in CRYSTAL_OUTCOMES])
    doubts = [*up[1], *down[1]]
    if differing and not any(transition.kind is Kind.FIRST_ORDER for transition in found):
        doubts.append(f"heating and cooling differ at {', '.join(f'{t:g} K' for t in differing)} without a transition")
    return _report(found, list(dict.fromkeys(doubts)), remarks, runs)


def _checked(runs: Sequence[SweepRun], roles: Mapping[str, Role | str]) -> dict[str, Role]:
    if not runs:
        raise ValueError("there is no run to look for transitions in")
    seen = set()
    for run in runs:
        _check_run(run)
        if (run.temperature, run.direction) in seen:
            raise ValueError(f"there are two runs at {run.temperature:g} K in one direction: average them first")
        seen.add((run.temperature, run.direction))
    directions = {run.direction for run in runs}
    if len(directions) > 1 and None in directions:
        raise ValueError("some runs have a direction and some have none: give it to all or to none")
    choices = [role.value for role in Role]
    for name, role in roles.items():
        if role not in choices:
            raise ValueError(f"role {role!r} of {name!r} is unknown: give one of {', '.join(choices)}")
    return {name: Role(role) for name, role in roles.items()}


def _check_run(run: SweepRun) -> None:
    words = (*CRYSTAL_OUTCOMES, MELTED, *FAILED_OUTCOMES)
    if not (np.isfinite(run.temperature) and run.temperature > 0):
        raise ValueError(f"temperature {run.temperature!r} of a run is no positive number of kelvin")
    at = f"the run at {run.temperature:g} K"
    if run.outcome not in words:
        raise ValueError(f"{at} has the unknown outcome {run.outcome!r}: give one of {', '.join(words)}")
    if run.direction not in {None, "heating", "cooling"}:
        raise ValueError(f"{at} has the unknown direction {run.direction!r}: give heating, cooling or None")
    for name, (_, error) in run.observables.items():
        if error < 0:
            raise ValueError(f"{at} has the negative standard error {error:g} of {name!r}")


def _search(runs: Sequence[SweepRun], roles: Mapping[str, Role]) -> Sweep:
    """Search the runs of one direction, ascending in temperature."""
    working = [run for run in runs if run.outcome not in FAILED_OUTCOMES]
    failure, melting = find_failure(runs), find_melting(working, roles)
    top = np.inf if melting is None else melting.interval[0] or 0.0
    crystal = [run for run in working if run.outcome in CRYSTAL_OUTCOMES and run.temperature <= top]
    readings = _readings(crystal, roles)
    series = [prepare_series(name, roles[name], *curve) for name, curve in readings.items()]
    found, hint = find_all(series)
    places = [0.0, *(one.assessment.boundary for one in found), np.inf]
    solid = [
        describe_transition(one, readings, group_between(crystal, low, place), group_between(crystal, place, high))
        for one, low, place, high in zip(found, places[:-2], places[1:-1], places[2:], strict=True)
    ]
    solid, short = add_group_changes(solid, crystal)
    remarks = [f"the run at {run.temperature:g} K failed ({run.outcome}) and is left out" for run in _strays(runs)]
    doubts = [] if solid else _doubts(crystal, readings, roles, hint)
    if short and not solid:
        doubts += [f"the space group changes from {one.below} to {one.above} at {one.first:g} K only" for one in short]
    diffusive = [f"{run.temperature:g} K" for run in crystal if run.outcome == "diffusive"]
    if diffusive:
        remarks.append(f"some species diffuses in the crystal at {', '.join(diffusive)}")
    ends = [transition for transition in (melting, failure) if transition is not None]
    return [*solid, *ends], doubts, remarks


def _strays(runs: Sequence[SweepRun]) -> list[SweepRun]:
    """Return failed runs that a working one lies above."""
    top = max((run.temperature for run in runs if run.outcome not in FAILED_OUTCOMES), default=0.0)
    return [run for run in runs if run.outcome in FAILED_OUTCOMES and run.temperature < top]


def _readings(runs: Sequence[SweepRun], roles: Mapping[str, Role]) -> Readings:
    readings: dict[str, tuple[Array, Array, Array]] = {}
    for name in roles:
        rows = [(run.temperature, *run.observables[name]) for run in runs if name in run.observables]
        table = np.array([row for row in rows if np.isfinite(row).all()], dtype=float).reshape(-1, 3)
        if len(table):
            readings[name] = (table[:, 0], table[:, 1], table[:, 2])
    return readings


def _doubts(runs: Sequence[SweepRun], readings: Readings, roles: Mapping[str, Role], hint: float) -> list[str]:
    """Return why the absence of a transition cannot be told from these crystalline runs; nothing if it can."""
    if len(runs) < LEAST_TEMPERATURES:
        return [f"{len(runs)} crystalline temperatures are too few, {LEAST_TEMPERATURES} are needed"]
    if hint > HINT:
        return [f"there is a hint of a transition (2 ln evidence ratio {hint:.1f}), too weak to count"]
    groups = [run.space_group for run in runs if run.robust and run.space_group]
    ends = [run.space_group for run in (runs[0], runs[-1]) if run.robust and run.space_group]
    if len(groups) >= 2 * len(runs) / 3 and len(ends) == 2:
        return []
    telling = {name: curve for name, curve in readings.items() if roles[name] is not Role.VOLUME}
    if not telling:
        return ["a volume alone does not show a continuous transition: an order parameter or space groups are missing"]
    coarse = []
    for name, (temperatures, values, errors) in telling.items():
        needed = RELATIVE_RESOLUTION * float(np.abs(values).max())
        if roles[name] is Role.STRAIN:
            needed = max(needed, STRAIN_RESOLUTION)
        if len(temperatures) >= LEAST_TEMPERATURES and np.quantile(errors, 0.8) <= needed:
            return []
        coarse.append(f"the errors of {name}, up to {errors.max():.2g}, hide changes of its size ({needed:.2g} needed)")
    return coarse


def _report(
    found: Sequence[Transition], doubts: Sequence[str], remarks: Sequence[str], runs: Sequence[SweepRun]
) -> TransitionReport:
    temperatures = [run.temperature for run in runs]
    span = f"between {min(temperatures):g} and {max(temperatures):g} K"
    if found:
        parts = [_phrase(transition) for transition in found]
        remarks = [*remarks, *(f"below, a transition between crystals cannot be excluded: {doubt}" for doubt in doubts)]
        return TransitionReport(Status.FOUND, f"{span}: {'; '.join(parts)}", list(found), remarks)
    if doubts:
        return TransitionReport(Status.CANNOT_TELL, f"cannot tell {span}: {'; '.join(doubts)}", [], remarks)
    return TransitionReport(Status.NONE, f"no transition in range, {span}", [], remarks)


def _phrase(transition: Transition) -> str:
    low, high = ("beyond the range" if end is None else f"{end:.4g} K" for end in transition.interval)
    groups = ""
    if transition.space_group_below and transition.space_group_above:
        groups = f", space group {transition.space_group_below} to {transition.space_group_above}"
    return f"{transition.kind.value} at {transition.temperature:.4g} K ({low} to {high}){groups}"

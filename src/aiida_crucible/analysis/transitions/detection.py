"""Transitions in a temperature sweep of any material: which there are, of which kind, where, and how surely.

Crystalline runs are searched for transitions between crystals, see :mod:`fits`; runs that melted or failed
bound that search from above, see :mod:`melting`. Robust space groups name the phases, and a change of theirs is a
transition even where no observable shows one.

The rules. A transition is found where the evidence for one is decisive (2 ln of the evidence ratio ≥ 20). It is
first-order or continuous where the evidence for that is strong (≥ 6) and three temperatures lie on each side, else of
undetermined order. "Continuous" says that no jump is resolved: none can be excluded that is smaller than the change
over one step of temperature. A change of what the space group on both sides fixes is no transition. "No transition"
needs five crystalline temperatures, no hint of one, and errors that would have shown it, see
:mod:`resolution`. A run that failed is no state of matter: it says nothing of transitions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from aiida_crucible.analysis.transitions.fits import STRONG
from aiida_crucible.analysis.transitions.melting import find_melting
from aiida_crucible.analysis.transitions.models import Array, Role, prepare_series
from aiida_crucible.analysis.transitions.phase_groups import add_group_changes, group_between
from aiida_crucible.analysis.transitions.records import (
    CRYSTAL_OUTCOMES,
    FAILED_OUTCOMES,
    MELTED,
    Status,
    SweepRun,
    Transition,
    TransitionReport,
)
from aiida_crucible.analysis.transitions.resolution import LEAST_TEMPERATURES, unresolved
from aiida_crucible.analysis.transitions.search import Readings, describe_transition, find_all

HINT = 15.0
"""2 ln of the evidence ratio above which a range without a transition that counts is not without any."""

STEPS_NEEDED = "{} steps at each temperature"
"""How a doubt says how long runs would have to be."""

Sweep = tuple[list[Transition], list[str], list[str]]
"""Transitions, why the rest of the range cannot be told from having none, and remarks."""


def detect_transitions(
    runs: Sequence[SweepRun], roles: Mapping[str, Role | str], sizes: Mapping[str, float]
) -> TransitionReport:
    """Return the transitions in a temperature sweep.

    :param runs: in any order.
    :param roles: of the observables that count; others are not looked at. An order parameter is a magnitude that
        vanishes in one phase (displacement, polarization), a strain goes with its square (c/a - 1), a volume is per
        formula unit and expands.
    :param sizes: least step of order parameters and strains that must not be missed, in their units.
    :raises ValueError: no run, a temperature that is no positive number, an unknown outcome or role, a negative
        error, or two runs at one temperature.
    """
    known = _checked(runs, roles)
    found, doubts, remarks = _search(sorted(runs, key=lambda run: run.temperature), known, sizes)
    return _report(found, doubts, remarks, runs)


def _checked(runs: Sequence[SweepRun], roles: Mapping[str, Role | str]) -> dict[str, Role]:
    if not runs:
        raise ValueError("there is no run to look for transitions in")
    seen = set()
    for run in runs:
        _check_run(run)
        if run.temperature in seen:
            raise ValueError(f"there are two runs at {run.temperature:g} K: average them first")
        seen.add(run.temperature)
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
    for name, (_, error) in run.observables.items():
        if error < 0:
            raise ValueError(f"{at} has the negative standard error {error:g} of {name!r}")


def _search(runs: Sequence[SweepRun], roles: Mapping[str, Role], sizes: Mapping[str, float]) -> Sweep:
    """Search runs that ascend in temperature."""
    working = [run for run in runs if run.outcome not in FAILED_OUTCOMES and not run.artefact]
    melting = find_melting(working, roles)
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
    solid, impossible = _possible(solid, crystal)
    solid, brief = add_group_changes(solid, crystal)
    doubts = [*impossible, *_failures(runs, working)]
    if not solid:
        doubts += _doubts(crystal, readings, roles, sizes, hint)
        doubts += [f"the space group changes from {one.below} to {one.above} at {one.first:g} K only" for one in brief]
    remarks = [f"the run at {run.temperature:g} K failed ({run.outcome}) and is left out" for run in _strays(runs)]
    diffusive = [f"{run.temperature:g} K" for run in crystal if run.outcome == "diffusive"]
    if diffusive:
        remarks.append(f"some species diffuses in the crystal at {', '.join(diffusive)}")
    return [*solid, *([] if melting is None else [melting])], doubts, remarks


def _possible(found: Sequence[Transition], runs: Sequence[SweepRun]) -> tuple[list[Transition], list[str]]:
    """Return the transitions that the space groups allow, and why the others are not real.

    Two phases of one space group differ in what it leaves free (a volume, a sublattice), not in what it fixes.
    """
    allowed, impossible = [], []
    for one in found:
        group = one.space_group_below
        fixed = {name for run in runs if run.robust and run.space_group == group for name in run.fixed}
        responding = [name for name, gain in one.evidence["evidence_by_observable"].items() if gain > STRONG]
        if group is None or group != one.space_group_above or not fixed.issuperset(responding):
            allowed.append(one)
        else:
            names = ", ".join(responding)
            impossible.append(
                f"{names} seems to change at {one.temperature:.4g} K, which space group {group} on both sides forbids"
            )
    return allowed, impossible


def _too_short(runs: Sequence[SweepRun]) -> list[str]:
    """Return which averages of crystalline runs are not to be believed, and how many steps would do."""
    short = [run for run in runs if run.short]
    if not short:
        return []
    needed = [steps for run in short for steps in run.short.values() if steps is not None]
    cure = f"; at least {STEPS_NEEDED.format(_rounded_up(max(needed)))} would be" if needed else ""
    names = ", ".join(dict.fromkeys(name for run in short for name in run.short))
    return [f"the runs at {len(short)} of {len(runs)} temperatures are not long enough to average {names}{cure}"]


def steps_needed(text: str) -> int | None:
    """Return how many steps at each temperature a verdict or a doubt asks for; ``None`` where it asks for none."""
    found = re.search(STEPS_NEEDED.format(r"(\d+)"), text)
    return None if found is None else int(found[1])


def _rounded_up(number: float) -> int:
    """Return a number to two digits, upward."""
    size = 10 ** max(int(np.floor(np.log10(number))) - 1, 0)
    return int(np.ceil(number / size) * size)


def _failures(runs: Sequence[SweepRun], working: Sequence[SweepRun]) -> list[str]:
    """Return what is not known because runs failed, or ended for a reason of their own, above all that did not."""
    top = max((run.temperature for run in working), default=0.0)
    failed = [run for run in runs if run not in working and run.temperature > top]
    words = ", ".join(f"{run.temperature:g} K ({run.outcome}{run.artefact and ': '}{run.artefact})" for run in failed)
    return [f"runs failed, which is no transition: {words}"] if failed else []


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


def _doubts(
    runs: Sequence[SweepRun],
    readings: Readings,
    roles: Mapping[str, Role],
    sizes: Mapping[str, float],
    hint: float,
) -> list[str]:
    """Return why the absence of a transition cannot be told from these crystalline runs; nothing if it can."""
    if len(runs) < LEAST_TEMPERATURES:
        return [f"{len(runs)} crystalline temperatures are too few, {LEAST_TEMPERATURES} are needed"]
    if hint > HINT:
        return [
            f"there is a hint of a transition (2 ln evidence ratio {hint:.1f}), too weak or at one temperature only"
        ]
    missed = unresolved(runs, readings, roles, sizes)
    short = _too_short(runs) if missed else []
    is_blind = all(roles[name] is Role.VOLUME for name in readings)
    return short if short and is_blind else [*short, *missed]


def _report(
    found: Sequence[Transition], doubts: Sequence[str], remarks: Sequence[str], runs: Sequence[SweepRun]
) -> TransitionReport:
    temperatures = [run.temperature for run in runs]
    span = f"between {min(temperatures):g} and {max(temperatures):g} K"
    if found:
        parts = [_phrase(transition) for transition in found]
        return TransitionReport(Status.FOUND, f"{span}: {'; '.join(parts)}", list(found), doubts, remarks)
    if doubts:
        return TransitionReport(Status.CANNOT_TELL, f"cannot tell {span}: {'; '.join(doubts)}", [], doubts, remarks)
    return TransitionReport(Status.NONE, f"no transition in range, {span}", [], [], remarks)


def _phrase(transition: Transition) -> str:
    low, high = ("beyond the range" if end is None else f"{end:.4g} K" for end in transition.interval)
    groups = ""
    if transition.space_group_below and transition.space_group_above:
        groups = f", space group {transition.space_group_below} to {transition.space_group_above}"
    return f"{transition.kind.value} at {transition.temperature:.4g} K ({low} to {high}){groups}"

"""Heating and cooling together: what differs between them brackets a first-order transition.

A phase can be overheated and undercooled at a first-order transition only; both ways stop at the limits of
metastability, and the transition temperature lies between (Landau & Lifshitz, Statistical Physics I, §82-83, §143).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from aiida_crucible.analysis.transitions.records import Kind, SweepRun, Transition

CLEAR_DIFFERENCE = 5.0
"""Standard errors between heating and cooling at one temperature that show two phases."""


def combine_directions(
    heating: Sequence[Transition], cooling: Sequence[Transition], runs: Sequence[SweepRun]
) -> list[Transition]:
    """Return the transitions of both ways, each that appears in both once.

    :param heating: transitions found in the runs on heating.
    :param cooling: transitions found in the runs on cooling.
    :param runs: of both ways.
    """
    left = list(cooling)
    combined = []
    for up in heating:
        down = _partner(up, left)
        if down is None:
            combined.append(_alone(up, runs))
        else:
            left.remove(down)
            combined.append(_both(up, down))
    combined += [_alone(down, runs) for down in left if down.kind is not Kind.MELTING]
    return sorted(combined, key=lambda transition: transition.temperature)


def two_phases(runs: Sequence[SweepRun]) -> dict[float, str]:
    """Return the temperatures where heating and cooling differ clearly, with the observable that differs most."""
    found = {}
    ways: dict[str, dict[float, Mapping[str, tuple[float, float]]]] = {"heating": {}, "cooling": {}}
    for run in runs:
        if run.direction in ways:
            ways[run.direction][run.temperature] = run.observables
    for temperature in sorted(ways["heating"].keys() & ways["cooling"].keys()):
        up, down = ways["heating"][temperature], ways["cooling"][temperature]
        differences = {
            name: abs(up[name][0] - down[name][0]) / max(np.hypot(up[name][1], down[name][1]), 1e-300)
            for name in up.keys() & down.keys()
            if np.isfinite([*up[name], *down[name]]).all()
        }
        if differences and max(differences.values()) > CLEAR_DIFFERENCE:
            found[temperature] = max(differences, key=lambda name: differences[name])
    return found


def _partner(up: Transition, candidates: Sequence[Transition]) -> Transition | None:
    """Return the nearest transition of the other way between the same phases, of the same nature."""
    alike = [
        down
        for down in candidates
        if (down.kind is Kind.MELTING) == (up.kind is Kind.MELTING)
        and _same(up.space_group_below, down.space_group_below)
        and _same(up.space_group_above, down.space_group_above)
    ]
    return min(alike, key=lambda down: abs(down.temperature - up.temperature), default=None)


def _same(one: int | None, two: int | None) -> bool:
    return one is None or two is None or one == two


def _both(up: Transition, down: Transition) -> Transition:
    lows = [end for end in (up.interval[0], down.interval[0]) if end is not None]
    highs = [end for end in (up.interval[1], down.interval[1]) if end is not None]
    interval = (min(lows, default=None), max(highs, default=None))
    middle = 0.5 * (up.temperature + down.temperature)
    evidence = {"heating": up.evidence, "cooling": down.evidence}
    merged = replace(up, temperature=middle, interval=interval, evidence=evidence)
    if up.kind is Kind.MELTING:
        return replace(merged, reason=f"on heating {up.reason}; on cooling {down.reason}")
    if down.interval[1] is not None and up.interval[0] is not None and down.interval[1] <= up.interval[0]:
        reason = f"hysteresis: at {up.temperature:.4g} K on heating, at {down.temperature:.4g} K on cooling"
        return replace(merged, kind=Kind.FIRST_ORDER, reason=reason)
    kind = up.kind if up.kind is down.kind else Kind.UNDETERMINED_ORDER
    return replace(merged, kind=kind, reason=f"the same on heating and cooling within their intervals: {up.reason}")


def _alone(one: Transition, runs: Sequence[SweepRun]) -> Transition:
    """Return a transition that one way shows and the other does not, widened over where the two ways differ."""
    differing = two_phases(runs)
    low, high = one.interval
    if one.kind is Kind.MELTING or not differing or low is None or high is None:
        return one
    interval = (min(low, *differing), max(high, *differing))
    name = differing[min(differing, key=lambda temperature: abs(temperature - one.temperature))]
    reason = (
        f"hysteresis: one way shows it at {one.temperature:.4g} K, the other does not, and {name} differs between them"
    )
    return replace(
        one, kind=Kind.FIRST_ORDER, temperature=0.5 * (interval[0] + interval[1]), interval=interval, reason=reason
    )

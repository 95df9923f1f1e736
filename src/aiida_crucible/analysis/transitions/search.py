"""Every transition of a sweep: found one after the other, then described by kind, temperature and interval.

Binary segmentation (Scott & Knott, Biometrics 30, 507 (1974)) splits where one transition explains most and goes on in
both halves. What it found early was found with the other transitions still in the data, so that each is judged anew
between its neighbours at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from aiida_crucible.analysis.transitions.fits import (
    CONFIDENCE,
    DECISIVE,
    LEAST_SIDE,
    STRONG,
    Assessment,
    assess,
    credible_interval,
)
from aiida_crucible.analysis.transitions.models import Array, Series
from aiida_crucible.analysis.transitions.records import Kind, Transition

LEAST_BETWEEN = 2
"""Temperatures between two transitions, and on each side of one: what one run did once need not happen again."""

NEIGHBOURS = 3
"""Temperatures on each side of a transition that a change is read from."""

LAW_ERROR = 0.1
"""Share of a step of temperature that a fitted T_c is widened by to each side.

The law leaves out higher corrections to scaling and the rounding by the cell's size, which the runs around T_c cannot
show: with precise data these, and not noise, are the error.
"""

Readings = Mapping[str, tuple[Array, Array, Array]]
"""Temperatures, values and standard errors of each observable, each of shape [n]."""


@dataclass(frozen=True)
class Found:
    """A transition within a range that holds no other.

    :param low: lower end of the range, K.
    :param high: upper end of the range, K.
    :param temperatures: of the runs in the range, ascending, K, shape [n].
    :param assessment: of the range.
    """

    low: float
    high: float
    temperatures: Array
    assessment: Assessment

    @property
    def sides(self) -> tuple[int, int]:
        """How many temperatures lie below and above."""
        below = int(np.sum(self.temperatures < self.assessment.boundary))
        return below, len(self.temperatures) - below


Judge = Callable[[float, float], Found | None]
"""Judges the range between two temperatures, K."""


def find_all(series: Sequence[Series]) -> tuple[list[Found], float]:
    """Return the transitions, ascending, and the largest gain of a range that holds none (0 where unknown)."""
    temperatures = np.unique(np.concatenate([one.temperatures for one in series])) if series else np.array([])
    if len(temperatures) == 0:
        return [], 0.0
    ends = (float(temperatures[0]), float(temperatures[-1]))
    hints: list[float] = [0.0]
    judge = cache(partial(_judge, tuple(series), temperatures))
    found = _split(judge, *ends, hints)
    for _ in range(3):
        places = [ends[0], *(one.assessment.boundary for one in found), ends[1]]
        merged = _merge(places, temperatures)
        again = [judge(a, b) for a, b in zip(merged[:-2], merged[2:], strict=True)]
        kept = [one for one in again if one is not None and _significant(one)]
        hints += [one.assessment.gain for one in again if one is not None and not _significant(one)]
        unchanged = [one.assessment.boundary for one in kept] == places[1:-1]
        found = kept
        if unchanged:
            break
    return found, max(hints)


def _split(judge: Judge, low: float, high: float, hints: list[float]) -> list[Found]:
    one = judge(low, high)
    if one is None:
        return []
    if not _significant(one):
        hints.append(one.assessment.gain)
        return []
    place = one.assessment.boundary
    below, above = (_split(judge, *ends, hints) for ends in ((low, place), (place, high)))
    return [*below, one, *above]


def _judge(series: Sequence[Series], temperatures: Array, low: float, high: float) -> Found | None:
    assessment = assess([part for part in (one.within(low, high) for one in series) if len(part)])
    if assessment is None:
        return None
    return Found(low, high, temperatures[(temperatures >= low) & (temperatures <= high)], assessment)


def _significant(one: Found) -> bool:
    """Return whether there is a transition; a single run that differs from all others is none, however clearly."""
    return one.assessment.gain >= DECISIVE and min(one.sides) >= LEAST_BETWEEN


def _merge(places: Sequence[float], temperatures: Array) -> list[float]:
    """Return the ends and the boundaries between them, of two that have too few runs between them the first only."""
    merged = [places[0]]
    for index, place in enumerate(places[1:-1], 1):
        between = np.sum((temperatures > merged[-1]) & (temperatures < place))
        if index == 1 or between >= LEAST_BETWEEN:
            merged.append(place)
    return [*merged, places[-1]]


def describe_transition(
    found: Found, readings: Readings, space_group_below: int | None, space_group_above: int | None
) -> Transition:
    """Return the transition with its kind, its temperature and interval, and what speaks for it.

    :param readings: observables in their own units, of all crystalline runs.
    """
    assessment = found.assessment
    kind = _kind(found)
    temperature, low, high = _place(kind, found)
    changes = {name: change for name, curve in readings.items() if (change := _change(found, curve)) is not None}
    evidence = {
        "evidence_for_transition": round(assessment.gain, 2),
        "evidence_for_jump_over_power_law": round(assessment.order, 2),
        "evidence_by_observable": {name: round(gain, 2) for name, gain in assessment.contributions.items()},
        "temperatures_below": found.sides[0],
        "temperatures_above": found.sides[1],
        "changes": {name: {"change": change, "error": error} for name, (change, error) in changes.items()},
    }
    if kind is Kind.CONTINUOUS:
        mean, deviation = assessment.exponent
        evidence["beta"] = {"mean": mean / 2, "standard_deviation": deviation / 2}
    return Transition(
        kind=kind,
        temperature=temperature,
        interval=(low, high),
        confidence=CONFIDENCE,
        space_group_below=space_group_below,
        space_group_above=space_group_above,
        evidence=evidence,
        reason=_reason(kind, found, changes),
    )


def _kind(found: Found) -> Kind:
    order = found.assessment.order
    below, above = found.sides
    if order < 0:
        # A run that the interval of T_c does not put on one side may belong to either.
        _, low, high = _place(Kind.CONTINUOUS, found)
        below, above = (int(np.sum(side)) for side in (found.temperatures <= high, found.temperatures >= low))
    if min(below, above) < LEAST_SIDE or abs(order) < STRONG:
        return Kind.UNDETERMINED_ORDER
    return Kind.FIRST_ORDER if order > 0 else Kind.CONTINUOUS


def _place(kind: Kind, found: Found) -> tuple[float, float, float]:
    """Return the temperature and its interval: a bracket by runs, a posterior's, or what spans both."""
    assessment = found.assessment
    jump = _bracket(assessment, found.temperatures)
    middle, low, high = credible_interval(assessment.critical, assessment.continuous)
    margin = LAW_ERROR * float(np.diff(found.temperatures)[_step_of(middle, found.temperatures)])
    power = middle, low - margin, high + margin
    if kind is Kind.FIRST_ORDER:
        return jump
    if kind is Kind.CONTINUOUS:
        return power
    likelier = jump if assessment.order > 0 else power
    return likelier[0], min(jump[1], power[1]), max(jump[2], power[2])


def _step_of(temperature: float, temperatures: Array) -> int:
    return int(np.clip(np.searchsorted(temperatures, temperature) - 1, 0, len(temperatures) - 2))


def _bracket(assessment: Assessment, temperatures: Array) -> tuple[float, float, float]:
    """Return the middle of the likeliest step of the grid and the steps around it that hold CONFIDENCE together."""
    low = high = int(np.argmax(assessment.jump))
    middle = float(assessment.boundaries[low])
    while assessment.jump[low : high + 1].sum() < CONFIDENCE:
        before = assessment.jump[low - 1] if low > 0 else -1.0
        after = assessment.jump[high + 1] if high + 1 < len(assessment.jump) else -1.0
        low, high = (low - 1, high) if before >= after else (low, high + 1)
    return middle, float(temperatures[low]), float(temperatures[high + 1])


def _change(found: Found, curve: tuple[Array, Array, Array]) -> tuple[float, float] | None:
    """Return the difference of the means of the nearest temperatures above and below, and its standard error."""
    temperatures, values, errors = curve
    place = found.assessment.boundary
    below = np.flatnonzero((temperatures < place) & (temperatures >= found.low))[-NEIGHBOURS:]
    above = np.flatnonzero((temperatures > place) & (temperatures <= found.high))[:NEIGHBOURS]
    if not len(below) or not len(above):
        return None
    error = np.hypot(*(np.sqrt(np.sum(errors[side] ** 2)) / len(side) for side in (below, above)))
    return float(values[above].mean() - values[below].mean()), float(error)


def _reason(kind: Kind, found: Found, changes: Mapping[str, tuple[float, float]]) -> str:
    gains = found.assessment.contributions
    first = max(gains, key=lambda name: gains[name])
    change = f" by {changes[first][0]:+.3g} ± {changes[first][1]:.1g}" if first in changes else ""
    if kind is Kind.FIRST_ORDER:
        return f"{first} jumps{change} and no power law fits (2 ln evidence ratio {found.assessment.order:.0f})"
    if kind is Kind.CONTINUOUS:
        beta, ratio = found.assessment.exponent[0] / 2, -found.assessment.order
        return f"{first} changes{change} as a power law, β ≈ {beta:.2f} (2 ln evidence ratio {ratio:.0f})"
    if min(found.sides) < LEAST_SIDE:
        why = f"only {min(found.sides)} temperatures on one side"
    else:
        why = f"jump and power law fit alike (2 ln evidence ratio {found.assessment.order:+.1f})"
    return f"{first} changes{change}; the order is open: {why}"

"""The kind of a found transition, its temperature with an interval, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aiida_crucible.analysis.transitions.fits import CONFIDENCE, LEAST_SIDE, STRONG, Assessment, credible_interval
from aiida_crucible.analysis.transitions.models import Array
from aiida_crucible.analysis.transitions.records import Kind, Transition
from aiida_crucible.analysis.transitions.search import Found

NEIGHBOURS = 3
"""Temperatures on each side of a transition that a change is read from."""

LAW_ERROR = 0.1
"""Share of a step of temperature that a fitted T_c is widened by to each side.

The law leaves out higher corrections to scaling and the rounding by the cell's size, which the runs around T_c cannot
show: with precise data these, and not noise, are the error.
"""

Readings = Mapping[str, tuple[Array, Array, Array]]
"""Temperatures, values and standard errors of each observable, each of shape [n]."""


def describe_transition(
    found: Found, readings: Readings, space_group_below: int | None, space_group_above: int | None
) -> Transition:
    """Return the transition with its kind, its temperature and interval, and what speaks for it.

    :param found: the transition and the range it was judged in.
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

"""Every transition of a sweep, one after the other: binary segmentation, then each again between its neighbours.

Binary segmentation (Scott & Knott, Biometrics 30, 507 (1974)) splits where one transition explains most and goes on in
both halves. What it found early was found with the other transitions still in the data, so that each is judged anew
between its neighbours at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from aiida_crucible.analysis.transitions.fits import DECISIVE, Assessment, assess
from aiida_crucible.analysis.transitions.models import Array, Series

LEAST_BETWEEN = 2
"""Temperatures between two transitions, and on each side of one: what one run did once need not happen again."""


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
    """Return whether there is a transition; a single run that differs from all others makes none, however clearly."""
    return one.assessment.gain >= DECISIVE and min(one.sides) >= LEAST_BETWEEN


def _merge(places: Sequence[float], temperatures: Array) -> list[float]:
    """Return the ends and the boundaries between them, of two that have too few runs between them the first only."""
    merged = [places[0]]
    for index, place in enumerate(places[1:-1], 1):
        between = np.sum((temperatures > merged[-1]) & (temperatures < place))
        if index == 1 or between >= LEAST_BETWEEN:
            merged.append(place)
    return [*merged, places[-1]]

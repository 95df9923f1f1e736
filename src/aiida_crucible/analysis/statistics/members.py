"""How far the truth may be from a committee's mean, by what its members say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm, t

COVERAGE_FACTOR = 2.0
"""Standard deviations of a normal distribution that an interval is as sure as."""


def interval_factor(n_members: int, coverage_factor: float = COVERAGE_FACTOR) -> float:
    """Return how many standard deviations of the members hold another draw as surely as a normal distribution would.

    A prediction interval from n values: Student's t with n - 1 degrees of freedom, times √(1 + 1/n).

    :param coverage_factor: standard deviations of a normal distribution whose two-sided coverage is wanted.
    """
    tail = norm.sf(coverage_factor)
    return float(t.isf(tail, n_members - 1) * np.sqrt(1 + 1 / n_members))


def half_interval(values: Sequence[float], coverage_factor: float = COVERAGE_FACTOR) -> float | None:
    """Return half the width of the interval that holds another draw, in the unit of the values.

    ``None`` for fewer than two values, which have no spread.
    """
    if len(values) < 2:
        return None
    return interval_factor(len(values), coverage_factor) * float(np.std(values, ddof=1))

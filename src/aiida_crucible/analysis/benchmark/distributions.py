"""What is said of many numbers together: their distribution, and how two quantities go together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import pearsonr, spearmanr

REACH = 1.5
"""Interquartile ranges that a whisker is long at most (Tukey), as matplotlib draws them."""
FEWEST = 3
"""Pairs below which a correlation is always 1 or -1."""
NO_VARIATION = 1e-12
"""Spread relative to the largest number that is rounding only."""


def distribution(values: Sequence[float]) -> dict[str, Any]:
    """Return ``n``, ``mean``, ``median``, quartiles and whiskers; ``None`` for what no number has.

    Quartiles are interpolated linearly. Whiskers end at the outermost values within 1.5 interquartile ranges of them.

    :param values: finite numbers, in any order.
    """
    names = ("mean", "median", "lower_quartile", "upper_quartile", "lower_whisker", "upper_whisker")
    if not len(values):
        return {"n": 0, **dict.fromkeys(names)}
    numbers = np.array(values, dtype=float)
    lower, median, upper = np.percentile(numbers, [25, 50, 75])
    reach = REACH * (upper - lower)
    # Interpolated quartiles may have no value between them and the end of their reach.
    lowest = min(numbers[numbers >= lower - reach].min(), lower)
    highest = max(numbers[numbers <= upper + reach].max(), upper)
    found = (numbers.mean(), median, lower, upper, lowest, highest)
    return {"n": len(numbers), **{name: float(value) for name, value in zip(names, found, strict=True)}}


def correlation(first: Sequence[float | None], second: Sequence[float | None]) -> dict[str, Any]:
    """Return Spearman's and Pearson's coefficients of the pairs that are whole.

    :param first: numbers, or ``None`` where there is none.
    :param second: likewise, in the same order.
    :return: ``n`` (pairs), ``spearman``, ``pearson``, ``reason`` (why they are ``None``; empty if they are not).
    """
    pairs = [pair for pair in zip(first, second, strict=True) if None not in pair]
    reason = ""
    if len(pairs) < FEWEST:
        reason = f"{len(pairs)} materials have both numbers, at least {FEWEST} are needed"
    elif any(_is_constant(np.array(values, dtype=float)) for values in zip(*pairs, strict=True)):
        reason = "one of the numbers is the same for all materials"
    if reason:
        return {"n": len(pairs), "spearman": None, "pearson": None, "reason": reason}
    x, y = np.array(pairs, dtype=float).T
    found = {"spearman": float(spearmanr(x, y).statistic), "pearson": float(pearsonr(x, y).statistic)}
    return {"n": len(pairs), **found, "reason": ""}


def _is_constant(values: np.ndarray) -> bool:
    return math.isclose(values.min(), values.max(), rel_tol=NO_VARIATION)

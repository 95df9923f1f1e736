"""What a box plot shows of a few values."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

REACH = 1.5
"""Box lengths within which a value still belongs to a whisker (Tukey, Exploratory Data Analysis, 1977)."""
GOLDEN = 0.618034


class BoxStatistics(NamedTuple):
    """Median, quartiles, and the last values within reach of them."""

    median: float
    lower: float
    upper: float
    low: float
    high: float


def box_statistics(values: NDArray[np.float64]) -> BoxStatistics:
    """Return what is drawn of at least one value, [n]."""
    lower, median, upper = (float(each) for each in np.percentile(values, [25, 50, 75]))
    reach = REACH * (upper - lower)
    inside = [value for value in values if lower - reach <= value <= upper + reach]
    return BoxStatistics(median, lower, upper, min(lower, *inside), max(upper, *inside))


def spread(n_values: int, width: float) -> NDArray[np.float64]:
    """Return places within a box for so many points: even, so that the same numbers always make the same figure."""
    places: NDArray[np.float64] = 0.5 * width * (np.modf(np.arange(n_values) * GOLDEN)[0] - 0.5)
    return places

"""Whether correlated time series are of one steady state: their trend, and how far independent ones are apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr  # scipy.stats takes half a second to import

from aiida_crucible.analysis.statistics.averages import Average, integrated_inefficiency

N_BLOCKS = 6
"""Blocks that a series is compared by: long ones, so that they are nearly independent, and twice what a curve needs."""

N_FITTED = 3
"""Numbers of the parabola beside which the noise is: one beside a line would hide a rise to a plateau."""

FEWEST_VALUES = 2 * N_BLOCKS
"""Values of a series below which no trend can be told."""

CHANCE = 0.01
"""Share of steady series that may be taken for drifting ones."""


@dataclass(frozen=True)
class Trend:
    """A straight line through a series.

    :param change: of the line over the whole series.
    :param standard_error: of that change.
    :param chance: how often a steady series would show as much.
    """

    change: float
    standard_error: float
    chance: float


def find_trend(series: NDArray[np.float64]) -> Trend | None:
    """Return the straight line through a series; ``None`` where it is too short for one.

    Its error is told twice, from what is left beside a parabola: with the effective number of independent values in it,
    and from the scatter of six block averages around a parabola of their own. Either alone takes too many steady series
    for drifting ones, the first where correlations swing, the second where they last as long as a block; the less
    certain one counts.

    :param series: equally spaced, shape [n].
    """
    n = len(series)
    if n < FEWEST_VALUES or np.ptp(series) <= 1e-12 * np.abs(series).max():
        return None
    change, residual, scale = _fit(series)
    independent = n / integrated_inefficiency(residual, N_FITTED)
    freedom = max(independent - N_FITTED, 1.0)
    # The variance of a single value times how many of them are worth an independent one.
    error = scale * math.sqrt(float(residual @ residual) / freedom)
    length = n // N_BLOCKS
    blocks = series[n - N_BLOCKS * length :].reshape(N_BLOCKS, length).mean(axis=1)
    of_blocks, block_residual, block_scale = _fit(blocks)
    block_error = block_scale * math.sqrt(float(block_residual @ block_residual) / (N_BLOCKS - N_FITTED))
    chances = (_chance(change, error, freedom), _chance(of_blocks, block_error, N_BLOCKS - N_FITTED))
    return Trend(change, max(error, block_error), max(chances))


def drifting(series: Sequence[NDArray[np.float64]]) -> tuple[int, Trend] | None:
    """Return the number of the run that drifts most certainly, with its trend; ``None`` if none does.

    :param series: of independent runs; that one of them drifts by chance is as rare as if there were a single one.
    """
    found = [(number, trend) for number, values in enumerate(series) if (trend := find_trend(values)) is not None]
    if not found:
        return None
    worst = min(found, key=lambda entry: entry[1].chance)
    return worst if worst[1].chance < CHANCE / len(found) else None


def apart(averages: Sequence[Average]) -> tuple[int, int] | None:
    """Return the numbers of the two runs that are farthest apart beyond their errors; ``None`` if none are.

    Welch's test (Biometrika 1947, 34, 28) of each pair, with the effective numbers of independent values.

    :param averages: of independent runs.
    """
    known = [number for number, one in enumerate(averages) if one.n_effective > 1 and math.isfinite(one.standard_error)]
    means = np.array([averages[number].mean for number in known])
    squares = np.array([averages[number].standard_error ** 2 for number in known])
    freedom = np.array([averages[number].n_effective - 1 for number in known])
    if len(known) < 2:
        return None
    sums = squares[:, None] + squares
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.abs(means[:, None] - means) / np.sqrt(sums)
        own = squares**2 / freedom
        degrees = sums**2 / (own[:, None] + own)
    chances = 2 * stdtr(np.maximum(degrees, 1.0), -ratios)
    chances[~np.isfinite(chances)] = 1.0
    first, second = np.unravel_index(int(np.argmin(chances)), chances.shape)
    n_pairs = len(known) * (len(known) - 1) / 2
    if chances[first, second] >= CHANCE / n_pairs:
        return None
    return known[int(min(first, second))], known[int(max(first, second))]


def _fit(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64], float]:
    """Return the change of the straight line over a series, what is left beside the parabola, and the line's scale.

    The scale is the standard error of the change where independent values have a standard deviation of one.
    """
    n = len(values)
    basis, _ = np.linalg.qr(np.vander(np.linspace(-1, 1, n), N_FITTED, increasing=True))
    parts = basis.T @ values
    # The unit vector of the line rises by so much from its first value to one step behind its last.
    rise = float(basis[1, 1] - basis[0, 1]) * n
    return float(parts[1]) * rise, values - basis @ parts, abs(rise)


def _chance(change: float, error: float, freedom: float) -> float:
    if error == 0:
        return 0.0 if change else 1.0
    return float(2 * stdtr(freedom, -abs(change) / error))

"""The mean of a correlated time series and how well it is known: equilibration, autocorrelation, block averages.

A series is a row of equally spaced values in any unit. Its *statistical inefficiency* g is how many of its values are
worth one independent value: ``n_effective = n / g``; the integrated autocorrelation time is (g - 1) / 2 steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

FEWEST_SAMPLES = 20.0
"""Independent samples below which an error of a mean is itself uncertain by more than a sixth: 1 / √(2 · 20)."""

FEW_SAMPLES = 10.0
"""Independent samples below which their number is itself a guess: a run that is shorter than its slowest motion shows a
part of one swing, which looks like a few quiet values. The error is then that of a single one."""

TWO_SIDED = 0.95
"""Probability for which an error of few values is widened, so that twice the error is that interval."""

CUTS = 50
"""Places where a series may be cut; finer ones move the mean by far less than its error."""

LATEST_CUT = 0.8
"""Fraction of a series behind which no cut lies: the little that remains is uncorrelated only by chance."""

SUFFICIENT = 0.9
"""Share of the most effective samples with which an earlier cut does: the most are often so many by chance alone."""

CHUNK = 4_000_000
"""Numbers that are transformed at once (32 MB)."""


@dataclass(frozen=True)
class Average:
    """The mean of the equilibrated part of a series."""

    mean: float
    standard_error: float
    """Standard error of the mean; not a number for a single value."""
    standard_deviation: float
    """Of one value: the fluctuation, which a longer run does not reduce."""
    cut: int
    """Values at the start that are left out as not equilibrated."""
    n_effective: float
    """Independent values behind the cut."""
    warning: str
    """Why the error should not be trusted, one line; empty if it can be."""

    @property
    def cautious_error(self) -> float:
        """The standard error as a comparison may use it, with what so few independent values leave open.

        It is widened by Student's t for ``n_effective`` - 1 degrees of freedom (Student, Biometrika 1908, 6, 1), and of
        less than ten independent values it is at least the deviation of one value: an upper bound for a stationary
        series, which needs no autocorrelation that a short run cannot show.
        """
        freedom = max(self.n_effective - 1, 1.0)
        bound = self.standard_deviation if self.n_effective < FEW_SAMPLES else 0.0
        return max(self.standard_error, bound) * student_factor(freedom)


def average(series: ArrayLike, cut: int | None = None) -> Average:
    """Return the mean of a series after its equilibration, with an error that knows of correlation.

    The cut keeps the most effective samples, see :func:`equilibration_cut`. The error is the larger one of those from
    the autocorrelation and from block averages: both are too small rather than too large where a series is short. A
    series that is worth fewer than 20 independent values gets a ``warning``.

    :param series: equally spaced values, shape [n].
    :param cut: values at the start to leave out, where that is known already.
    :raises ValueError: one line, if it is empty, has more than one dimension or values that are not finite, or if the
        cut leaves none.
    """
    values = _checked(series)
    cut = equilibration_cut(values) if cut is None else cut
    if not 0 <= cut < len(values):
        raise ValueError(f"a cut of {cut} leaves nothing of {len(values)} values")
    kept = values[cut:]
    n, mean = len(kept), float(kept.mean())
    if n == 1:
        return Average(mean, float("nan"), 0.0, cut, 1.0, "a single value has no error")
    deviation = float(kept.std(ddof=1))
    if _constant(kept):
        return Average(mean, 0.0, 0.0, cut, float(n), "")
    spread = float(kept.std())
    error = max(float(standard_errors(kept[:, None])[0]), block_error(kept))
    n_effective = min(float(n), (spread / error) ** 2 + 1)
    return Average(mean, error, deviation, cut, n_effective, _warning(len(values), cut, n_effective))


def student_factor(freedom: float) -> float:
    """Return by how much Student's t of some degrees of freedom widens a 95 % interval of a Gaussian."""
    tail = 0.5 * (1 + TWO_SIDED)
    return float(stdtrit(freedom, tail) / stdtrit(np.inf, tail))


def equilibration_cut(series: ArrayLike) -> int:
    """Return how many values to leave out at the start so that the most effective samples remain.

    Chodera, J. Chem. Theory Comput. 2016, 12, 1799: maximise (n - cut) / g(cut), here over 50 cuts in the first 80 % of
    the series. The earliest cut that keeps 90 % of the maximum is taken, because g scatters: the maximum itself throws
    good values away and keeps a stretch that looks uncorrelated by chance.

    :raises ValueError: one line, as :func:`average`.
    """
    values = _checked(series)
    cuts = np.unique((np.linspace(0, LATEST_CUT, CUTS) * len(values)).astype(int))
    effective = np.array([(len(values) - cut) / statistical_inefficiency(values[cut:]) for cut in cuts])
    return int(cuts[int(np.argmax(effective >= SUFFICIENT * effective.max()))])


def statistical_inefficiency(series: ArrayLike) -> float:
    """Return g = 1 + 2 Σ_t (1 - t/n) C(t), at least 1, up to the first t at which C(t) is not positive.

    Chodera et al., J. Chem. Theory Comput. 2007, 3, 26, Eq. 28. A constant series has g = 1.

    :raises ValueError: one line, as :func:`average`.
    """
    return float(statistical_inefficiencies(_checked(series)[:, None])[0])


def statistical_inefficiencies(series: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return g of many series at once, shape [n_series]; see :func:`statistical_inefficiency`.

    :param series: one in a column, shape [n, n_series]; float32 is enough.
    """
    n, n_series = series.shape
    width = max(1, CHUNK // (4 * n))
    parts = [_inefficiencies(series[:, start : start + width]) for start in range(0, n_series, width)]
    return np.concatenate(parts) if parts else np.ones(0)


def integrated_inefficiency(residual: NDArray[np.floating], n_fitted: int) -> float:
    """Return g of what is left of a series beside a curve that was fitted to it.

    A fit of so many numbers takes about that many times g / n away from the correlation at every lag, which is put
    back as for the mean alone.

    :param residual: shape [n].
    :param n_fitted: numbers that were fitted: 1 for a mean, 2 for a line.
    """
    return float(_unbiased_inefficiencies(residual[:, None], n_fitted)[0])


def standard_errors(series: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the standard error of the mean of each of several equilibrated series from their autocorrelation.

    :param series: one in a column, shape [n, n_series], n at least 2.
    """
    # The sample variance misses the variance of the mean itself: 1 / n_effective becomes 1 / (n_effective - 1).
    independent = np.maximum(len(series) / _unbiased_inefficiencies(series) - 1, 0.5)
    return np.asarray(series.std(axis=0, dtype=float) / np.sqrt(independent))


def block_error(series: ArrayLike) -> float:
    """Return the standard error of a mean from averages over blocks of 1, 2, 4 … values, read where it stays.

    Flyvbjerg and Petersen, J. Chem. Phys. 1989, 91, 461. The plateau is read at the shortest block with
    length³ > 2 n (error / error of length 1)⁴ (Lee, Kent, Towler and López Ríos, Phys. Rev. E 2011, 83, 066706), which
    balances bias against scatter; where none is long enough, the largest error counts.

    :param series: equally spaced values, at least two, shape [n].
    :raises ValueError: one line, if there are fewer than two, or as :func:`average`.
    """
    blocks = _checked(series)
    n = len(blocks)
    if n < 2:
        raise ValueError("block averages need at least two values")
    found: list[float] = []
    while len(blocks) >= 2:
        found.append(float(blocks.std(ddof=1)) / sqrt(len(blocks)))
        # An odd block out is the oldest one.
        blocks = blocks[len(blocks) % 2 :].reshape(-1, 2).mean(axis=1)
    errors, lengths = np.array(found), 2 ** np.arange(len(found))
    if errors[0] == 0:
        return 0.0
    enough = np.flatnonzero(lengths.astype(float) ** 3 > 2 * n * (errors / errors[0]) ** 4)
    # Fewer than four blocks say next to nothing of their scatter.
    if len(enough) and n // lengths[enough[0]] >= 4:
        return float(errors[enough[0]])
    return float(errors[n // lengths >= 4].max(initial=errors[0]))


def _inefficiencies(series: NDArray[np.floating]) -> NDArray[np.float64]:
    weighted = _correlations(series)
    return np.maximum(1.0, 2 * _sum_to_zero(weighted) - 1)


def _unbiased_inefficiencies(series: NDArray[np.floating], n_fitted: int = 1) -> NDArray[np.float64]:
    """Return g with the correlation put back that a fit takes away: about g / n at every lag for the sample mean."""
    n = len(series)
    weighted = _correlations(series)
    triangle = (1 - np.arange(n) / n)[:, None]
    g = np.ones(series.shape[1])
    # Three rounds settle it where the series is long enough to matter, and cannot run away where it is not.
    for _ in range(3):
        taken = n_fitted * g / n
        corrected = (weighted + triangle * taken) / (1 + taken)
        g = np.clip(2 * _sum_to_zero(corrected) - 1, 1, max(1, n / 2))
    return g


def _correlations(series: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return C(t) (1 - t/n) of each column, 1 at t = 0; a constant column is taken for uncorrelated."""
    n = len(series)
    fluctuations = series - series.mean(axis=0, dtype=float)
    constant = np.abs(fluctuations).max(axis=0) <= 1e-12 * np.abs(series).max(axis=0)
    # Padded to twice the length, so that the end does not correlate with the start.
    length = _fast_length(2 * n)
    sums = np.fft.irfft(np.abs(np.fft.rfft(fluctuations, n=length, axis=0)) ** 2, n=length, axis=0)[:n]
    correlations: NDArray[np.float64] = sums / np.where(constant, 1.0, sums[0])
    correlations[:, constant] = 0.0
    correlations[0] = 1.0
    return correlations


def _sum_to_zero(correlations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of each column up to the first number that is not positive."""
    before = np.logical_and.accumulate(correlations > 0, axis=0)
    return np.asarray(np.where(before, correlations, 0.0).sum(axis=0))


def _fast_length(n: int) -> int:
    """Return a length ≥ n with small prime factors, which transforms quickly."""
    power = 1 << (n - 1).bit_length()
    return min(length for length in (power, 3 * power // 4, 5 * power // 8, 9 * power // 16) if length >= n)


def _warning(n: int, cut: int, n_effective: float) -> str:
    if n_effective < FEWEST_SAMPLES:
        return (
            f"too short: the {n - cut} values behind the first {cut} are worth {n_effective:.1f} independent ones, "
            f"and an error needs {FEWEST_SAMPLES:.0f}; run longer"
        )
    return ""


def _constant(values: NDArray[np.float64]) -> bool:
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())


def _checked(series: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(series, dtype=float)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"a time series of shape {values.shape}: give at least one value in one dimension")
    broken = np.flatnonzero(~np.isfinite(values))
    if len(broken):
        raise ValueError(f"value {broken[0]} of a time series is {values[broken[0]]}: leave out what is not finite")
    return values

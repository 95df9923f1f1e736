"""Decide whether a range of temperatures holds a transition, of which order, and where.

Three hypotheses share a range: smooth, one jump, one critical power law. Each observable contributes the evidence of
its own best models; the place of the transition and the exponent are common to all, with a flat prior, and are summed
over on a grid. The posterior of the place is its error: it needs no normal approximation, which fails here
because the misfit has a kink at every temperature of the grid. See Kass & Raftery, J. Am. Stat. Assoc. 90, 773 (1995)
for evidence, BIC and what counts as strong; Birge, Phys. Rev. 40, 207 (1932) for errors that are too small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aiida_crucible.analysis.transitions.models import (
    EXPONENTS,
    Array,
    Option,
    Series,
    continuous_options,
    jump_options,
    scores,
    smooth_options,
    soft_minimum,
)

DECISIVE = 20.0
"""2 ln of the evidence ratio from which there is a transition.

Ten is very strong for one hypothesis (Kass & Raftery 1995, p. 777). A sweep tries many, with errors that are themselves
uncertain: of 600 synthetic sweeps without a transition four reached 10, none 14.
"""

STRONG = 6.0
"""Twice the logarithm of an evidence ratio that counts as strong."""

LARGEST_VARIANCE_SCALE = 4.0
"""Stated errors may be too small by its root; a worse misfit is structure and not noise."""

LEAST_SIDE = 3
"""Temperatures on each side of a transition below which its order cannot be told."""

LIKELY = 40.0
"""Twice the log of the evidence ratio to the best within which a critical temperature is looked at more closely."""

FINE = 40
"""Critical temperatures of the fine grid."""

CONFIDENCE = 0.95
"""Of every interval."""


@dataclass(frozen=True)
class Assessment:
    """What the three hypotheses say of a range.

    :param gain: 2 ln of the evidence for a transition over none; above DECISIVE there is one.
    :param order: 2 ln of the evidence for a jump over a power law; above STRONG first order, below -STRONG continuous.
    :param boundaries: midpoints between neighbouring temperatures, K, shape [n - 1].
    :param jump: posterior of a jump across each boundary, sums to one, shape [n - 1].
    :param critical: critical temperatures of the power law, ascending, K, shape [n_critical].
    :param continuous: their posterior, sums to one, shape [n_critical].
    :param exponent: posterior mean and standard deviation of 2β.
    :param contributions: gain of each observable by itself, at the most likely place.
    """

    gain: float
    order: float
    boundaries: Array
    jump: Array
    critical: Array
    continuous: Array
    exponent: tuple[float, float]
    contributions: dict[str, float] = field(default_factory=dict)

    @property
    def boundary(self) -> float:
        """The midpoint between temperatures where the transition most likely lies, K."""
        if self.order > 0:
            return float(self.boundaries[np.argmax(self.jump)])
        estimate = self.critical[np.argmax(self.continuous)]
        return float(self.boundaries[np.argmin(np.abs(self.boundaries - estimate))])


def assess(series: Sequence[Series]) -> Assessment | None:
    """Return the assessment of the range that the observables cover, or None for less than four temperatures."""
    temperatures = np.unique(np.concatenate([one.temperatures for one in series])) if series else np.array([])
    if len(temperatures) < 4:
        return None
    usable = [one for one in series if len(one) >= 4]
    if not usable:
        return None
    boundaries = 0.5 * (temperatures[1:] + temperatures[:-1])
    widths = np.diff(temperatures) / np.ptp(temperatures)
    smooth_sets = [smooth_options(one) for one in usable]
    jump_sets = [jump_options(one, temperatures[:-1], temperatures[1:]) for one in usable]
    grid, share = _zoom(usable, smooth_sets, temperatures)
    power_sets = [continuous_options(one, *grid) for one in usable]
    scales = _variance_scales(usable, smooth_sets, jump_sets, power_sets)

    smooth = _smooth_scores(smooth_sets, usable, scales)
    jumps = _together(jump_sets, usable, scales, smooth)
    powers = _together(power_sets, usable, scales, smooth)
    by_step = jumps.sum(axis=0) - 2 * np.log(widths)
    by_place = powers.sum(axis=0)
    jump_total = float(soft_minimum(by_step))
    # The mean over the fine grid, times its share of the flat prior's range.
    power_total = float(soft_minimum(by_place)) + 2 * np.log(len(by_place)) - 2 * np.log(share)
    critical, posterior, exponent = _posterior(grid, by_place)
    weights = np.exp(-0.5 * (by_step - by_step.min()))
    best = jumps[:, np.argmin(by_step)] if jump_total < power_total else powers[:, np.argmin(by_place)]
    return Assessment(
        gain=sum(smooth) - min(jump_total, power_total),
        order=power_total - jump_total,
        boundaries=boundaries,
        jump=weights / weights.sum(),
        critical=critical,
        continuous=posterior,
        exponent=exponent,
        contributions={
            one.name: float(without - score) for one, without, score in zip(usable, smooth, best, strict=True)
        },
    )


def credible_interval(positions: Array, weights: Array) -> tuple[float, float, float]:
    """Return the median and the central interval of CONFIDENCE of a posterior on a grid.

    :param positions: ascending, K, shape [n].
    :param weights: sum to one, shape [n].
    """
    cumulative = np.cumsum(weights) - 0.5 * weights
    low, middle, high = np.interp([0.5 - CONFIDENCE / 2, 0.5, 0.5 + CONFIDENCE / 2], cumulative, positions)
    return float(middle), float(low), float(high)


def _grid(
    critical: tuple[float, float], exponents: tuple[float, float], n_critical: int, n_exponents: int
) -> tuple[Array, Array, Array]:
    """Return critical temperatures, exponents and directions of all combinations, each of shape [n_grid].

    The values lie in the middle of equal cells, so that sums over them are integrals.
    """
    axes = [
        low + (high - low) * (np.arange(count) + 0.5) / count
        for (low, high), count in ((critical, n_critical), (exponents, n_exponents))
    ]
    mesh = np.meshgrid(*axes, np.array([True, False]), indexing="ij")
    return mesh[0].ravel(), mesh[1].ravel(), mesh[2].ravel()


def _together(
    sets: Sequence[Sequence[Option]], series: Sequence[Series], scales: Sequence[float], smooth: Sequence[float]
) -> Array:
    """Return each observable's score over the grid, where not to respond at all is a choice, [n_series, n_grid]."""
    rows = [scores([*options], len(one), scale) for options, one, scale in zip(sets, series, scales, strict=True)]
    return np.array([np.minimum(row, without) for row, without in zip(rows, smooth, strict=True)])


def _variance_scales(series: Sequence[Series], *families: Sequence[Sequence[Option]]) -> list[float]:
    """Return by how much each observable's squared errors are too small, judged by the model that fits it best."""
    found = []
    for index, one in enumerate(series):
        best, scale = np.inf, 1.0
        for family in families:
            for misfit, count in family[index]:
                least = float(np.min(misfit))
                criterion = least + count * np.log(len(one))
                if criterion < best:
                    best, scale = criterion, least / max(len(one) - count - 1, 1)
        found.append(float(np.clip(scale, 1.0, LARGEST_VARIANCE_SCALE)))
    return found


def _smooth_scores(sets: Sequence[Sequence[Option]], series: Sequence[Series], scales: Sequence[float]) -> list[float]:
    return [
        float(scores(options, len(one), scale)[0]) for options, one, scale in zip(sets, series, scales, strict=True)
    ]


def _zoom(
    series: Sequence[Series], smooth_sets: Sequence[Sequence[Option]], temperatures: Array
) -> tuple[tuple[Array, Array, Array], float]:
    """Return a grid of critical temperatures, exponents and directions around the likely ones, and its share of all.

    Errors are taken as stated here, so that what is likely with larger ones lies within as well. Where a smooth curve
    does better than any law, the coarse grid is good enough.
    """
    low, high = float(temperatures[0]), float(temperatures[-1])
    stated = [1.0] * len(series)
    smooth = _smooth_scores(smooth_sets, series, stated)
    n_critical = 4 * (len(temperatures) - 1)
    region, full = ((low, high), EXPONENTS), (high - low) * (EXPONENTS[1] - EXPONENTS[0])
    grid, spacing, share = _grid(*region, n_critical, 5), ((high - low) / n_critical, 0.16), 1.0
    for _ in range(2):
        totals = _together([continuous_options(one, *grid) for one in series], series, stated, smooth).sum(axis=0)
        if totals.min() > sum(smooth) - STRONG:
            break
        below = bool(grid[2][np.argmin(totals)])
        likely = (totals < totals.min() + LIKELY) & (grid[2] == below)
        places, powers = _around(grid[0][likely], spacing[0]), _around(grid[1][likely], spacing[1])
        powers = (max(powers[0], EXPONENTS[0]), min(powers[1], EXPONENTS[1]))
        fine = _grid(places, powers, FINE, 9)
        keep = fine[2] == below
        grid = (fine[0][keep], fine[1][keep], fine[2][keep])
        spacing = ((places[1] - places[0]) / FINE, (powers[1] - powers[0]) / 9)
        share = 0.5 * (places[1] - places[0]) * (powers[1] - powers[0]) / full
    return grid, share


def _around(values: Array, margin: float) -> tuple[float, float]:
    return float(values.min()) - margin, float(values.max()) + margin


def _posterior(grid: tuple[Array, Array, Array], totals: Array) -> tuple[Array, Array, tuple[float, float]]:
    """Return critical temperatures, their posterior, and mean and standard deviation of 2β."""
    weights = np.exp(-0.5 * (totals - totals.min()))
    weights /= weights.sum()
    positions, rows = np.unique(grid[0], return_inverse=True)
    posterior = np.bincount(rows, weights=weights).astype(float)
    mean = float(np.sum(weights * grid[1]))
    return positions, posterior, (mean, float(np.sqrt(np.sum(weights * (grid[1] - mean) ** 2))))

"""Trends of correlated series: closed forms, steady ones that keep quiet, drifts that are found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import linregress
from series import correlated, seeds, swinging

from aiida_crucible.analysis.statistics.averages import average
from aiida_crucible.analysis.statistics.trends import CHANCE, FEWEST_VALUES, apart, drifting, find_trend

STEADY = {
    "independent": lambda rng: correlated(100, 0.0, rng),
    "correlated": lambda rng: correlated(300, 4.0, rng),
    "slow": lambda rng: correlated(1000, 25.0, rng),
    "swinging": lambda rng: swinging(400, 12.0, 30.0, rng),
}


def test_the_line_is_that_of_least_squares():
    series = np.random.default_rng(0).normal(0, 1, 240) + np.linspace(0, 0.5, 240)
    found, line = find_trend(series), linregress(np.arange(240), series)
    assert found.change == pytest.approx(240 * line.slope, rel=1e-12)
    # Independent values, but the block averages may scatter more than they should.
    assert found.standard_error >= 0.8 * 240 * line.stderr


@pytest.mark.parametrize("series", [np.linspace(1.0, 1.0, 50), np.arange(FEWEST_VALUES - 1.0)])
def test_what_is_constant_or_short_has_none(series):
    assert find_trend(series) is None


@pytest.mark.parametrize("kind", STEADY)
def test_steady_series_are_not_taken_for_drifting_ones(kind):
    found = [seed for seed in seeds(100) if drifting([STEADY[kind](np.random.default_rng(seed))])]
    # One in a hundred by construction: more than five are less likely than 1e-3.
    assert len(found) <= 5, f"these seeds drift: {found}"


@pytest.mark.parametrize("kind", STEADY)
def test_a_drift_is_found_at_every_seed(kind):
    for seed in seeds(20):
        series = STEADY[kind](np.random.default_rng(seed))
        planted = 12 * series.std() * np.linspace(0, 1, len(series))
        number, trend = drifting([series, series + planted])
        assert number == 1, seed
        assert trend.chance < CHANCE / 2
        assert trend.change == pytest.approx(planted[-1], abs=5 * trend.standard_error + 0.02 * planted[-1]), seed


def test_runs_of_one_state_agree_and_of_two_do_not():
    for seed in seeds(20):
        rng = np.random.default_rng(seed)
        same = [average(correlated(300, 4.0, rng), cut=0) for _ in range(3)]
        other = average(correlated(300, 4.0, rng) + 4, cut=0)
        assert apart([*same, other])[1] == 3, seed
    agree = [
        apart([average(correlated(300, 4.0, np.random.default_rng([seed, run])), cut=0) for run in range(2)])
        for seed in seeds(20)
    ]
    assert sum(pair is not None for pair in agree) <= 2
    assert apart([average(np.ones(5), cut=0)]) is None

"""Means of correlated series: closed forms of the AR(1) process, honest errors, planted transients."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_crucible.analysis.statistics.averages import (
    average,
    block_error,
    equilibration_cut,
    standard_errors,
    statistical_inefficiencies,
    statistical_inefficiency,
    student_factor,
)


def autoregressive(n, coefficient, seed=0, series=1):
    """Return unit-variance AR(1) series [n, series]; g = (1 + φ) / (1 - φ)."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((n, series)) * np.sqrt(1 - coefficient**2)
    values = np.empty((n, series))
    values[0] = rng.standard_normal(series)
    for step in range(1, n):
        values[step] = coefficient * values[step - 1] + noise[step]
    return values


@pytest.mark.parametrize("coefficient", [0.0, 0.5, 0.9])
def test_the_inefficiency_of_an_autoregressive_process_is_the_closed_form(coefficient):
    exact = (1 + coefficient) / (1 - coefficient)
    found = statistical_inefficiencies(autoregressive(20000, coefficient, series=50))
    # One estimate scatters by √(2 (2 M + 1) / n) with a window of M ≈ 50 lags: by a tenth, and the mean of 50 by 1.4 %.
    assert found.mean() == pytest.approx(exact, rel=0.05)
    assert found.std() < 0.2 * exact


def test_many_series_at_once_are_each_series_alone():
    values = autoregressive(500, 0.8, series=7)
    together = statistical_inefficiencies(values)
    assert together == pytest.approx([statistical_inefficiency(column) for column in values.T])
    assert statistical_inefficiencies(values.astype(np.float32)) == pytest.approx(together, rel=1e-3)


@pytest.mark.parametrize("coefficient", [0.0, 0.5, 0.9])
def test_the_block_error_is_the_true_error_of_the_mean(coefficient):
    n = 2**15
    # Of an AR(1) process, √((1 + φ) / (1 - φ) / n); of fewer than two values there is none.
    exact = np.sqrt((1 + coefficient) / (1 - coefficient) / n)
    assert block_error(autoregressive(n, coefficient, seed=3)[:, 0]) == pytest.approx(exact, rel=0.15)
    with pytest.raises(ValueError, match="at least two values"):
        block_error([1.0])


@pytest.mark.slow
@pytest.mark.parametrize("coefficient", [0.0, 0.8])
def test_errors_cover_the_truth_as_often_as_a_gaussian_does(coefficient):
    results = [average(autoregressive(1000, coefficient, seed)[:, 0]) for seed in range(200)]
    deviations = np.abs([result.mean / result.standard_error for result in results])
    assert 0.60 < (deviations < 1).mean() < 0.80
    assert 0.91 < (deviations < 2).mean() < 0.99
    assert not any(result.warning for result in results)
    independent = 1000 * (1 - coefficient) / (1 + coefficient)
    assert np.median([result.n_effective for result in results]) == pytest.approx(independent, rel=0.2)
    assert np.mean([result.standard_deviation for result in results]) == pytest.approx(1, rel=0.02)


@pytest.mark.slow
def test_a_series_shorter_than_some_correlation_times_says_so():
    # Worth 5 and 0.5 independent values; what a mean is worth cannot be seen in them, but that it cannot, can.
    for coefficient in (0.99, 0.999):
        results = [average(autoregressive(1000, coefficient, seed)[:, 0]) for seed in range(100)]
        assert np.mean([bool(result.warning) for result in results]) > 0.9
    assert "run longer" in next(result.warning for result in results if result.warning)
    drift = average(np.linspace(0, 1, 1000))
    assert drift.warning
    assert drift.standard_error > 0.1


def test_a_planted_transient_is_cut_off():
    means, cuts = [], []
    for seed in range(50):
        values = autoregressive(2000, 0.7, seed)[:, 0]
        values[:500] += 20
        result = average(values)
        means.append(result.mean / result.standard_error)
        cuts.append(result.cut)
    assert min(cuts) >= 500
    assert max(cuts) < 1200
    assert np.mean(np.abs(means) < 2) > 0.88


def test_an_equilibrated_series_loses_little():
    cuts = [equilibration_cut(autoregressive(1000, 0.5, seed)[:, 0]) for seed in range(50)]
    assert np.mean(cuts) < 50


def test_a_constant_has_no_error():
    result = average(np.full(100, 90.0))
    assert (result.mean, result.standard_error, result.standard_deviation, result.cut) == (90, 0, 0, 0)
    assert not result.warning
    assert standard_errors(np.full((100, 2), 90.0)).tolist() == [0, 0]


def test_few_values_give_a_warning_and_no_crash():
    assert np.isnan(average([1.0]).standard_error)
    for n in (1, 2, 3, 4, 5):
        result = average(np.random.default_rng(n).standard_normal(n))
        assert result.warning
        assert 0 <= result.cut < n


@pytest.mark.parametrize(
    ("series", "message"),
    [([], "at least one value"), ([[1.0, 2.0]], "one dimension"), ([1.0, np.nan], "value 1 of a time series is nan")],
)
def test_broken_series_are_refused(series, message):
    with pytest.raises(ValueError, match=message):
        average(series)


def test_a_cut_that_is_known_is_kept():
    values = autoregressive(200, 0.5)[:, 0]
    assert average(values, cut=50).mean == pytest.approx(values[50:].mean())
    assert average(values, cut=50).cut == 50
    with pytest.raises(ValueError, match="leaves nothing of 200"):
        average(values, cut=200)


def test_few_independent_values_widen_an_error_by_students_t():
    # Tables of t at 95 %: 12.706 for one degree of freedom, 2.228 for ten, 1.960 for a Gaussian.
    assert student_factor(1) == pytest.approx(12.706 / 1.960, rel=1e-3)
    assert student_factor(10) == pytest.approx(2.228 / 1.960, rel=1e-3)
    assert student_factor(1e9) == pytest.approx(1.0)
    long = average(autoregressive(5000, 0.5)[:, 0])
    assert long.cautious_error == pytest.approx(long.standard_error, rel=0.01)


@pytest.mark.slow
def test_a_part_of_one_slow_swing_has_the_error_of_a_single_value():
    """A sixth of a swing of unit amplitude, at any phase: the mean is off by up to 1, and its error says so."""
    rng = np.random.default_rng(0)
    misses, stated = [], []
    for phase in 2 * np.pi * rng.random(300):
        found = average(np.sin(phase + np.linspace(0, np.pi / 3, 60)))
        misses.append(abs(found.mean) / found.cautious_error)
        stated.append(abs(found.mean) / found.standard_error)
    assert np.median(misses) < 2 < np.median(stated)

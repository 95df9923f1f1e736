"""Averages of one potential's frames as another would have them: harmonic oscillators, whose averages are known."""

from __future__ import annotations

import numpy as np
import pytest
from ase.units import kB
from numpy.testing import assert_allclose
from seeds import chosen_seed

from aiida_crucible.analysis.statistics.reweighting import FEWEST_EFFECTIVE, reweight

TEMPERATURE = 300.0
STIFFNESS = 1.0
"""eV/Å²"""


def oscillator(n_frames, seed=0):
    """Return independent positions (Å) of an oscillator in equilibrium."""
    width = np.sqrt(kB * TEMPERATURE / STIFFNESS)
    return np.random.default_rng(seed).normal(0.0, width, n_frames)


def energies(positions, stiffness, centre=0.0):
    return 0.5 * stiffness * (positions - centre) ** 2


def test_a_member_has_the_averages_of_its_own_run():
    """<x> is the member's centre, <x²> its kT/k; both within five standard errors for any seed."""
    seed = chosen_seed()
    positions = oscillator(200_000, seed)
    width = np.sqrt(kB * TEMPERATURE / STIFFNESS)
    members = np.stack([energies(positions, 1.2), energies(positions, 1.0, 0.3 * width)], axis=1)
    found = reweight(energies(positions, STIFFNESS), members, TEMPERATURE, {"x": positions, "square": positions**2})
    assert found.is_known
    errors = 5 / np.sqrt(found.effective_samples)
    assert abs(found.members["x"][1] - 0.3 * width) < errors[1] * width
    assert abs(found.members["square"][0] / width**2 - 1 / 1.2) < errors[0] * np.sqrt(2)


def test_how_many_frames_count_is_that_of_gaussians():
    """Of a shift by s widths, exp(-s²) of the frames count."""
    positions = oscillator(400_000, 3)
    width = np.sqrt(kB * TEMPERATURE / STIFFNESS)
    shifts = np.array([0.0, 0.5, 1.0])
    members = np.stack([energies(positions, STIFFNESS, shift * width) for shift in shifts], axis=1)
    found = reweight(energies(positions, STIFFNESS), members, TEMPERATURE, {})
    assert_allclose(found.effective_samples / len(positions), np.exp(-(shifts**2)), rtol=0.03)
    assert_allclose(found.spreads, shifts, rtol=0.01, atol=1e-9)


def test_a_constant_shift_of_the_energy_changes_nothing():
    positions = oscillator(500)
    base = energies(positions, STIFFNESS)
    found = reweight(base, base[:, None] + np.array([0.0, -4400.0]), TEMPERATURE, {"x": positions})
    assert_allclose(found.members["x"], positions.mean(), rtol=1e-9)
    assert_allclose(found.effective_samples, found.n_independent)


def test_members_that_are_far_away_leave_nothing():
    """A spread of many kT, as of large cells: one frame outweighs all others, and no average is told."""
    positions = oscillator(300)
    base = energies(positions, STIFFNESS)
    random = np.random.default_rng(1)
    members = base[:, None] + random.normal(0, 20 * kB * TEMPERATURE, (300, 4))
    found = reweight(base, members, TEMPERATURE, {"x": positions})
    assert found.effective_samples.max() < FEWEST_EFFECTIVE
    described = found.describe()
    assert not described["known"] and described["members"] == {} and described["intervals"] == {}


def test_correlated_frames_count_as_what_they_are_worth():
    positions = np.repeat(oscillator(200), 20)
    base = energies(positions, STIFFNESS)
    found = reweight(base, np.stack([base, base], axis=1), TEMPERATURE, {"x": positions})
    assert 100 < found.n_independent < 400
    assert_allclose(found.effective_samples, found.n_independent)


@pytest.mark.parametrize(
    ("frames", "members", "values", "said"),
    [
        (np.zeros(1), np.zeros((1, 2)), {}, "1 frame is no average"),
        (np.zeros(3), np.zeros((2, 2)), {}, "are not of 3 frames"),
        (np.zeros(3), np.full((3, 2), np.nan), {}, "not finite"),
        (np.zeros(3), np.zeros((3, 2)), {"a": np.zeros(2)}, "are not of 3 frames"),
    ],
)
def test_bad_input_is_one_line(frames, members, values, said):
    with pytest.raises(ValueError, match=said) as raised:
        reweight(frames, members, TEMPERATURE, values)
    assert "\n" not in str(raised.value)

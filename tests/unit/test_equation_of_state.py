"""Equations of state in closed form: points of a known curve give it back; what is no minimum is said to be none."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units
from ase.eos import EquationOfState as AseEquationOfState

from aiida_crucible.analysis.elasticity.equation_of_state import FEWEST, FORMS, fit_curve
from aiida_crucible.analysis.elasticity.settings import validate_equation_of_state
from aiida_crucible.analysis.elasticity.volumes import Volumes, check_volume_reference, fit_volumes, summarise_volumes

KNOWN = np.array([47.3, -14.2, 137.0 * units.GPa, 5.3])
"""Å³, eV, eV/Å³, and the derivative."""
VOLUMES = 47.0 * np.linspace(0.94, 1.06, 11) ** 3


def volumes_of(energies, pressures=None, volumes=VOLUMES, outcomes=None):
    pressures = np.full(len(volumes), np.nan) if pressures is None else pressures
    return Volumes(volumes, energies, pressures, outcomes or ["converged"] * len(volumes))


def summarised(found, reference=None, units_of_cell=4, **settings):
    complete = validate_equation_of_state(settings)
    return summarise_volumes(found, fit_volumes(found, complete), units_of_cell, reference or {}, complete)


@pytest.mark.parametrize("form", FORMS)
def test_a_known_curve_comes_back(form):
    curve = fit_curve(VOLUMES[::-1], FORMS[form](VOLUMES, KNOWN)[::-1], form)
    assert curve.values["volume"] == pytest.approx(KNOWN[0], rel=1e-9)
    assert curve.values["energy"] == pytest.approx(KNOWN[1], rel=1e-10)
    assert curve.values["bulk_modulus"] == pytest.approx(137.0, rel=1e-6)
    assert curve.values["derivative"] == pytest.approx(5.3, rel=1e-5)
    assert curve.residual < 1e-10
    assert max(curve.errors.values()) < 1e-4


def test_the_curve_is_ases():
    energies = FORMS["vinet"](VOLUMES, KNOWN) + 1e-4 * np.sin(7 * VOLUMES)
    theirs = AseEquationOfState(VOLUMES, energies, eos="birchmurnaghan")
    volume, energy, modulus = theirs.fit(warn=False)
    ours = fit_curve(VOLUMES, energies, "birch-murnaghan").values
    assert (ours["volume"], ours["energy"]) == pytest.approx((volume, energy), rel=1e-6)
    assert ours["bulk_modulus"] == pytest.approx(modulus / units.GPa, rel=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_the_pressure_is_the_slope(form):
    curve = fit_curve(VOLUMES, FORMS[form](VOLUMES, KNOWN), form)
    assert curve.pressures(np.array([KNOWN[0]])) == pytest.approx([0.0], abs=1e-4)
    x = (KNOWN[0] / VOLUMES) ** (1 / 3)
    if form == "birch-murnaghan":
        expected = 1.5 * 137 * (x**7 - x**5) * (1 + 0.75 * (5.3 - 4) * (x**2 - 1))
    else:
        expected = 3 * 137 * (1 - 1 / x) * x**2 * np.exp(1.5 * (5.3 - 1) * (1 - 1 / x))
    assert curve.pressures(VOLUMES) == pytest.approx(expected, abs=1e-3)


def test_errors_hold_in_as_many_cases_as_standard_errors_should():
    rng, hits = np.random.default_rng(0), 0
    exact = FORMS["birch-murnaghan"](VOLUMES, KNOWN)
    for _ in range(300):
        curve = fit_curve(VOLUMES, exact + 1e-3 * rng.normal(size=11), "birch-murnaghan")
        hits += abs(curve.values["bulk_modulus"] - 137.0) <= curve.fit_errors["bulk_modulus"]
    # Student's t of 7 degrees of freedom has 65 % within one standard error; ± three deviations of 300 trials.
    assert 0.57 < hits / 300 < 0.73


def test_the_error_of_the_range_covers_a_curve_of_another_form():
    energies = FORMS["vinet"](VOLUMES, KNOWN)
    curve = fit_curve(VOLUMES, energies, "birch-murnaghan")
    assert abs(curve.values["bulk_modulus"] - 137.0) < 2 * curve.errors["bulk_modulus"]


def test_a_minimum_outside_is_not_told():
    said = summarised(volumes_of(FORMS["vinet"](VOLUMES * 1.3, KNOWN), volumes=VOLUMES * 1.3))
    assert said["outcome"] == "cannot-tell"
    assert "smallest volume" in said["reason"] and "outside" in said["reason"]
    assert said["agreement"]["answer"] == "not-asked"
    known = summarised(volumes_of(FORMS["vinet"](VOLUMES * 1.3, KNOWN), volumes=VOLUMES * 1.3), {"bulk_modulus": 137})
    assert known["agreement"]["answer"] == "cannot-tell"


def test_too_few_points_are_not_told():
    ends = ["converged"] * (FEWEST - 1) + ["runaway"] * (11 - FEWEST + 1)
    said = summarised(volumes_of(FORMS["vinet"](VOLUMES, KNOWN), outcomes=ends))
    assert said["outcome"] == "cannot-tell"
    assert f"{FEWEST - 1} energies" in said["reason"] and "6 of 11 cells do not count: runaway" in said["reason"]


def test_energies_off_the_curve_are_not_told():
    energies = FORMS["vinet"](VOLUMES, KNOWN) + 0.05 * (-1.0) ** np.arange(11)
    said = summarised(volumes_of(energies))
    assert said["outcome"] == "cannot-tell"
    assert "off the curve" in said["reason"]


def test_energies_that_are_no_numbers_are_an_outcome():
    said = summarised(volumes_of(np.full(11, np.nan), outcomes=["non-finite"] * 11))
    assert said["outcome"] == "non-finite"


def test_a_stress_that_is_not_that_of_the_energy_is_seen():
    energies = FORMS["birch-murnaghan"](VOLUMES, KNOWN)
    right = fit_curve(VOLUMES, energies, "birch-murnaghan").pressures(VOLUMES)
    assert summarised(volumes_of(energies))["pressure"]["answer"] == "not-asked"
    assert summarised(volumes_of(energies, right))["pressure"]["answer"] == "yes"
    assert summarised(volumes_of(energies, right + 5.0))["pressure"]["answer"] == "no"


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        ({}, "not-asked"),
        ({"volume": 47.3 / 4, "bulk_modulus": 130.0, "bulk_modulus_derivative": 5.0}, "yes"),
        ({"bulk_modulus": 200.0}, "no"),
        ({"volume": 47.3}, "no"),
        ({"bulk_modulus_derivative": 9.0, "bulk_modulus": 137.0}, "no"),
    ],
)
def test_a_reference_judges(reference, answer):
    said = summarised(volumes_of(FORMS["birch-murnaghan"](VOLUMES, KNOWN)), reference)
    assert said["outcome"] == "fitted"
    assert said["agreement"]["answer"] == answer


def test_nothing_is_told_within_the_error():
    rng = np.random.default_rng(3)
    energies = FORMS["birch-murnaghan"](VOLUMES, KNOWN) + 4e-3 * rng.normal(size=11)
    curve, _ = fit_volumes(volumes_of(energies), validate_equation_of_state({"largest_residual": 1}))
    wanted = curve.values["bulk_modulus"] / 1.15
    said = summarised(volumes_of(energies), {"bulk_modulus": wanted}, largest_residual=1)
    assert said["agreement"]["answer"] == "cannot-tell"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({"bulk_modulo": 1.0}, "did you mean 'bulk_modulus'"),
        ({"bulk_modulus": -3}, "more than 0"),
        ({"bulk_modulus": "stiff"}, "give a number"),
        ({"source": 3}, "give text"),
    ],
)
def test_a_bad_reference_is_refused_in_one_line(reference, message):
    with pytest.raises(ValueError, match=message) as caught:
        check_volume_reference(reference)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n_points": 5}, "at least 8"),
        ({"form": "birch-murnagan"}, "did you mean 'birch-murnaghan'"),
        ({"largest_strain": 3}, "at most 0.2"),
        ({"strain": 0.1}, "has no parameter 'strain'"),
    ],
)
def test_a_bad_setting_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        validate_equation_of_state(given)

"""The quasi-harmonic approximation in closed form: springs that soften alike have one Grüneisen parameter."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from ase.units import kB
from phonopy import PhonopyQHA
from spring_crystal import cubic

from aiida_crucible.analysis.elasticity.equation_of_state import vinet
from aiida_crucible.analysis.phonons.phonon_analysis import prepare
from aiida_crucible.analysis.phonons.settings import validate_settings
from aiida_crucible.analysis.quasi_harmonic.answers import check_reference, summarise_heating
from aiida_crucible.analysis.quasi_harmonic.heating import QUANTITIES, heat
from aiida_crucible.analysis.quasi_harmonic.settings import (
    check_temperatures,
    length_strains,
    temperatures_of,
    validate_quasi_harmonic,
)
from aiida_crucible.analysis.quasi_harmonic.vibrating_volumes import unrelaxed_volume, vibrating_volume

GRUNEISEN = 2.0
MODULUS = 0.8
"""eV/Å³."""
PHONONS = validate_settings(
    {"supercell_matrix": [2, 2, 2], "mesh": [3, 3, 3], "dos_mesh": [6, 6, 6], "max_temperature": 800.0,
     "temperature_step": 20.0, "noise_samples": 2}
)  # fmt: skip
JOULES = 96485.3321


def volumes_of(settings, springs=(4.0, 1.2), gruneisen=GRUNEISEN):
    """Return cubic crystals of springs, whose frequencies go with the volume to the power of -γ."""
    found = []
    ideal = cubic(*springs)
    at_rest = ideal.atoms.get_volume()
    for strain in length_strains(settings):
        crystal = cubic(*(each * (1 + strain) ** (-6 * gruneisen) for each in springs))
        crystal.spacing = ideal.spacing * (1 + strain)
        crystal.atoms.set_cell(ideal.atoms.cell.array * (1 + strain), scale_atoms=True)
        _, plan = prepare(crystal.atoms, PHONONS)
        cells = plan.structures()
        forces = np.array([crystal.forces(cells[0], cell) for cell in cells])
        energy = float(vinet(crystal.atoms.get_volume(), np.array([at_rest, -3.0, MODULUS, 4.5])))
        place = (float(strain), energy)
        found.append(vibrating_volume(crystal.atoms, place, PHONONS, forces, temperatures_of(PHONONS)))
    return found


@pytest.fixture(scope="module")
def settings():
    return validate_quasi_harmonic({"smallest_strain": -0.01, "largest_strain": 0.02, "n_points": 9})


@pytest.fixture(scope="module")
def volumes(settings):
    return volumes_of(settings)


@pytest.fixture(scope="module")
def heating(volumes):
    return heat(volumes, "vinet")


def test_the_gruneisen_parameter_is_that_of_the_springs(heating):
    warm = heating.temperatures >= 200
    np.testing.assert_allclose(heating.values["gruneisen"][warm], GRUNEISEN, rtol=2e-3)
    assert np.isnan(heating.values["gruneisen"][0])


def test_expansion_and_heat_capacity_are_those_of_the_gruneisen_parameter(heating):
    """β = γ Cv/(B V), and Cp = Cv (1 + β γ T); at 800 K Cv is nearly that of Dulong and Petit."""
    temperature, values = heating.temperatures, heating.values
    cp, beta = values["heat_capacity"], values["thermal_expansion"]
    cv = cp / (1 + beta * GRUNEISEN * temperature)
    assert cv[-1] == pytest.approx(3 * kB * JOULES, rel=0.02)
    expected = GRUNEISEN * cv / JOULES / (values["bulk_modulus"] / 160.21766 * values["volume"])
    np.testing.assert_allclose(beta[10:], expected[10:], rtol=2e-3)


def test_errors_are_small_and_known_in_the_middle(heating):
    for name in ("volume", "thermal_expansion", "heat_capacity", "gruneisen"):
        value, error = heating.at(name, 300.0)
        assert 0 < error < 0.05 * abs(value), name


def test_numbers_are_those_of_phonopy(volumes, heating):
    thermal = [each.thermal for each in volumes]
    joules = 96485.3905398362
    with pytest.warns(DeprecationWarning):
        direct = PhonopyQHA(
            volumes=[each.volume for each in volumes],
            electronic_energies=[each.energy for each in volumes],
            temperatures=thermal[0].temperatures,
            free_energy=np.array([each.free_energy for each in thermal]).T * joules / 1000,
            cv=np.array([each.heat_capacity for each in thermal]).T * joules,
            entropy=np.array([each.entropy for each in thermal]).T * joules,
        )
    count = len(heating.temperatures)
    for name, theirs in (
        ("thermal_expansion", direct.thermal_expansion),
        ("heat_capacity", direct.heat_capacity_P_polyfit),
        ("gibbs_energy", direct.gibbs_temperature),
    ):
        np.testing.assert_allclose(heating.values[name], theirs[:count], rtol=1e-4, atol=1e-12)


def test_temperatures_end_where_the_volume_leaves_the_sampled_ones(settings):
    narrow = {**settings, "largest_strain": 0.005}
    volumes = volumes_of(narrow)
    heating = heat(volumes, "vinet")
    assert not heating.is_whole and heating.temperatures[-1] < 800
    said = summarise_heating(volumes, (heating, ""), 800.0, {}, narrow)
    assert said["outcome"] == "computed"
    assert said["range"]["answer"] == "cannot-tell"
    proposed = float(said["range"]["reason"].partition("give a largest_strain of ")[2].partition(",")[0])
    wide = {**settings, "largest_strain": proposed}
    assert heat(volumes_of(wide), "vinet").is_whole


def test_a_minimum_outside_at_once_is_an_answer(settings):
    beyond = {**settings, "smallest_strain": -0.2, "largest_strain": -0.1}
    volumes = [
        dataclasses.replace(each, energy=-each.volume) for each in volumes_of({**beyond, "largest_strain": -0.15})
    ]
    with pytest.raises(ValueError, match="the minimum is outside") as caught:
        heat(volumes, "vinet")
    assert "\n" not in str(caught.value)
    said = summarise_heating(volumes, (None, str(caught.value)), 800.0, {"gruneisen": 2.0}, settings)
    assert said["outcome"] == said["agreement"]["answer"] == "cannot-tell"


def test_a_volume_with_imaginary_modes_is_left_out_and_named(settings, volumes):
    # Without springs across, rows of atoms slide; with negative ones they run away.
    soft = volumes_of({**settings, "n_points": 2}, springs=(4.0, -0.4))[-1]
    assert soft.outcome == "imaginary" and soft.thermal is None
    mixed = [*volumes[:-1], dataclasses.replace(soft, energy=volumes[-1].energy)]
    said = summarise_heating(mixed, (heat(mixed, "vinet"), ""), 800.0, {}, settings)
    assert said["stability"]["answer"] == "no"
    assert "1 of 9 volumes" in said["stability"]["reason"] and "left out" in said["stability"]["reason"]
    assert [each["counts"] for each in said["volumes"]] == [True] * 8 + [False]


def test_free_energies_off_the_curve_tell_nothing(settings, volumes):
    """Phonons that jump from one volume to the next: a curve goes through them, and means nothing."""
    rough = [dataclasses.replace(each, energy=each.energy + 0.01 * (-1) ** i) for i, each in enumerate(volumes)]
    try:
        heated = (heat(rough, "vinet"), "")
    except ValueError as error:
        heated = (None, str(error))
    said = summarise_heating(rough, heated, 800.0, {"gruneisen": 2.0}, settings)
    assert said["outcome"] == said["curve"]["answer"] == said["agreement"]["answer"] == "cannot-tell"


def test_too_few_volumes_tell_nothing(volumes):
    lost = [unrelaxed_volume(each.strain, each.volume, "not-converged") for each in volumes[:4]]
    with pytest.raises(ValueError, match="phonons count at 5 of 9 volumes, and 6 are the fewest"):
        heat([*lost, *volumes[4:]], "vinet")


def test_forces_that_are_no_numbers_are_said(volumes, settings):
    atoms = cubic(4.0, 1.2).atoms
    lost = [vibrating_volume(atoms, (0.0, 1.0), PHONONS, np.full((3, 8, 3), np.nan), temperatures_of(PHONONS))] * 6
    assert {each.outcome for each in lost} == {"non-finite"}
    assert summarise_heating(lost, (None, "why"), 800.0, {}, settings)["outcome"] == "non-finite"


@pytest.mark.parametrize(
    ("known", "answer"),
    [
        ({"gruneisen": GRUNEISEN, "heat_capacity": 22.8}, "yes"),
        ({"gruneisen": 3.5}, "no"),
        ({}, "not-asked"),
    ],
)
def test_numbers_are_compared_with_a_reference(volumes, heating, settings, known, answer):
    said = summarise_heating(volumes, (heating, ""), 800.0, known, settings)
    assert said["agreement"]["answer"] == answer, said["agreement"]["reason"]


def test_a_temperature_beyond_the_known_ones_is_not_compared(volumes, heating, settings):
    hot = {**settings, "temperature": 2000.0}
    said = summarise_heating(volumes, (heating, ""), 800.0, {"gruneisen": 2.0}, hot)
    assert said["values"] == {} and said["agreement"]["answer"] == "cannot-tell"


def test_settings_and_references_are_refused_in_one_line():
    for given, words in (
        ({"n_points": 5}, "n_points"),
        ({"form": "murnaghan"}, "birch-murnaghan"),
        ({"largest_strian": 0.1}, "largest_strain"),
        ({"smallest_strain": 0.01}, "smallest_strain"),
    ):
        with pytest.raises(ValueError, match=words) as caught:
            validate_quasi_harmonic(given)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="raise their 'max_temperature'"):
        check_temperatures(validate_quasi_harmonic({"temperature": 900.0}), PHONONS)
    with pytest.raises(ValueError, match="derivatives take 4 temperatures"):
        check_temperatures(validate_quasi_harmonic({}), {**PHONONS, "temperature_step": 500.0})
    with pytest.raises(ValueError, match="did you mean 'gruneisen'"):
        check_reference({"gruneisn": 2.0})


def test_all_quantities_are_there(heating):
    assert set(heating.values) == set(heating.errors) == set(QUANTITIES)
    assert heating.free_energies.shape == (len(heating.temperatures), len(heating.volumes))

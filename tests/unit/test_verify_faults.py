"""Verification finds planted faults by name, and nothing else beside them."""

import numpy as np
import pytest
from ase import units
from planted_faults import (
    FaultyModel,
    NearestImages,
    Noise,
    NoSelfImages,
    StaleCache,
    constant_field,
    energy_per_atom,
    external_field,
    first_atom_is_special,
    no_images,
    prefers_an_axis,
    quadratic_in_size,
    random_field,
    reordered,
    scaled,
    shear_doubled,
    stress_times_volume,
)

from crucible_engine.models.calculator_model import CalculatorModel
from crucible_engine.models.load import load_model
from crucible_engine.schema import ModelReference
from crucible_engine.verification.suite import verify_model

GPA = 1 / units.GPa
LAMMPS_ORDER = (0, 1, 2, 5, 4, 3)  # xx yy zz xy xz yz


@pytest.fixture(scope="module")
def emt():
    return load_model(ModelReference("emt", dtype="float64"), "cpu")


def faults_of(model, **arguments):
    return verify_model(model, **arguments).faults


@pytest.mark.parametrize("seed", range(8))
def test_a_sound_model_passes(emt, seed):
    assert faults_of(emt, seed=seed) == []


CASES = {
    "stress in GPa": ([scaled(stress=GPA)], ["stress-in-GPa"]),
    "stress in kbar": ([scaled(stress=10 * GPA)], ["stress-wrong-unit"]),
    "stress in an unknown unit": ([scaled(stress=7.3)], ["stress-wrong-unit"]),
    "stress of the wrong sign": ([scaled(stress=-1)], ["stress-wrong-sign"]),
    "GPa and wrong sign": ([scaled(stress=-GPA)], ["stress-wrong-sign", "stress-in-GPa"]),
    "xx yy zz xy xz yz": ([reordered(LAMMPS_ORDER)], ["stress-voigt-order"]),
    "xx yy zz xy yz xz": ([reordered((0, 1, 2, 5, 3, 4))], ["stress-voigt-order"]),
    "xx xy xz yy yz zz": ([reordered((0, 5, 4, 1, 3, 2))], ["stress-voigt-order"]),
    "order and GPa": ([reordered(LAMMPS_ORDER), scaled(stress=GPA)], ["stress-in-GPa", "stress-voigt-order"]),
    "everything of a stress": (
        [reordered(LAMMPS_ORDER), scaled(stress=-GPA)],
        ["stress-wrong-sign", "stress-in-GPa", "stress-voigt-order"],
    ),
    "virial": ([stress_times_volume], ["stress-times-volume"]),
    "negative virial": ([stress_times_volume, scaled(stress=-1)], ["stress-wrong-sign", "stress-times-volume"]),
    "shear counted twice": ([shear_doubled], ["stress-shear-factor"]),
    "stress 5 % too large": ([scaled(stress=1.05)], ["stress-inconsistent"]),
    "stress 2 % too small": ([scaled(stress=0.98)], ["stress-inconsistent"]),
    "GPa and 5 % too large": ([scaled(stress=1.05 * GPA)], ["stress-in-GPa", "stress-inconsistent"]),
    "forces of the wrong sign": ([scaled(forces=-1)], ["forces-wrong-sign"]),
    "forces per bohr": ([scaled(forces=units.Bohr)], ["forces-wrong-unit"]),
    "forces in kcal/mol/Å": ([scaled(forces=units.mol / units.kcal)], ["forces-wrong-unit"]),
    "forces in Hartree/bohr, wrong sign": (
        [scaled(forces=-units.Bohr / units.Hartree)],
        ["forces-wrong-sign", "forces-wrong-unit"],
    ),
    "forces 3 % too small": ([scaled(forces=0.97)], ["forces-inconsistent"]),
    "direct forces": ([random_field], ["direct-forces"]),
    "forces with an offset": ([constant_field], ["direct-forces"]),
    "direct forces, stress in GPa": ([random_field, scaled(stress=GPA)], ["direct-forces", "stress-in-GPa"]),
    "energy an atom": (
        [energy_per_atom],
        ["energy-not-extensive", "forces-scales-with-size", "stress-scales-with-size"],
    ),
    "energy that grows with the square": ([quadratic_in_size], ["energy-not-extensive"]),
    "a field in space": ([external_field], ["not-invariant-under-translation"]),
    "an axis preferred": ([prefers_an_axis], ["not-invariant-under-rotation", "not-invariant-under-cell-choice"]),
    "the first atom counts more": ([first_atom_is_special], ["not-invariant-under-permutation"]),
    "NaN": ([scaled(forces=np.nan)], ["not-finite"]),
}


@pytest.mark.parametrize("name", CASES)
def test_fault_is_found_by_name(emt, name):
    planted, expected = CASES[name]
    assert sorted(faults_of(FaultyModel(emt, *planted))) == sorted(expected)


@pytest.mark.parametrize("amplitudes", [{"energy": 1e-3}, {"forces": 1e-4}, {"energy": 1e-2, "forces": 0.1}])
def test_model_that_is_not_deterministic(emt, amplitudes):
    assert faults_of(FaultyModel(emt, Noise(**amplitudes))) == ["not-deterministic"]


def test_cache_that_forgets_to_look_at_the_positions(emt):
    assert "stale-results" in faults_of(FaultyModel(emt, StaleCache()))


def test_no_images_at_all(emt):
    assert "misses-periodic-images" in faults_of(FaultyModel(emt, no_images))


@pytest.mark.parametrize("calculator", [NearestImages, NoSelfImages])
@pytest.mark.parametrize("seed", range(3))
def test_missing_periodic_images(emt, calculator, seed):
    model = CalculatorModel(calculator(), emt.identity, emt.elements)
    found = faults_of(model, seed=seed)
    assert "misses-periodic-images" in found
    assert not [fault for fault in found if fault.startswith(("forces", "direct", "not-"))]

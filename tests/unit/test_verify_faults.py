"""Verification finds planted faults by name, and nothing else beside them."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from ase.stress import voigt_6_to_full_3x3_stress
from forgetful_calculators import NoStress, OldNeighbours, Tiring, Tolerant, Wrapping
from planted_faults import (
    GPA,
    KCAL,
    PLANTED,
    Creep,
    FaultyModel,
    NearestImages,
    Noise,
    NoSelfImages,
    Remembering,
    StaleCache,
    clipped,
    no_images,
    random_field,
    rough_energy,
    scaled,
)

from crucible_engine.families.base import Evaluation
from crucible_engine.families.calculators import CalculatorModel
from crucible_engine.families.load import load_model
from crucible_engine.tasks.verify.run import verify_model
from crucible_engine.tasks.verify.weights import check_fingerprint, check_weights
from crucible_engine.wire.schema import ModelReference

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def emt():
    """Return EMT that evaluates nothing twice: faults are planted behind it."""
    return Remembering(load_model(ModelReference("emt", dtype="float64"), "cpu"))


def faults_of(model, **arguments):
    return verify_model(model, **arguments).faults


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.long) for seed in (2, 3))])
def test_a_sound_model_passes(emt, seed):
    assert faults_of(emt, seed=seed) == []


@pytest.mark.parametrize("name", PLANTED)
def test_fault_is_found_by_name(emt, name):
    planted, expected = PLANTED[name]
    assert sorted(faults_of(FaultyModel(emt, *planted))) == sorted(expected)


@pytest.mark.parametrize(
    "factor", [0.994, 1.006, *(pytest.param(more, marks=pytest.mark.long) for more in (0.99, 1.01))]
)
@pytest.mark.parametrize("quantity", ["forces", "stress"])
def test_one_percent_is_found_in_double_precision(emt, quantity, factor):
    assert faults_of(FaultyModel(emt, scaled(**{quantity: factor}))) == [f"{quantity}-inconsistent"]


@pytest.mark.parametrize(
    ("limit", "seed"),
    [(7.0, 0), pytest.param(15.0, 1, marks=pytest.mark.long), pytest.param(12.0, 2, marks=pytest.mark.long)],
)
def test_limit_that_only_the_closest_atoms_reach(emt, limit, seed):
    assert faults_of(FaultyModel(emt, clipped(limit)), seed=seed) == ["forces-clipped"]


def test_energy_that_is_lost_along_direct_forces_is_no_other_fault(emt):
    assert faults_of(FaultyModel(emt, *[random_field] * 10)) == ["direct-forces"]


@pytest.mark.parametrize("amplitudes", [{"energy": 1e-3}, {"forces": 1e-4}, {"energy": 1e-2, "forces": 0.1}])
def test_model_that_is_not_deterministic(emt, amplitudes):
    assert faults_of(FaultyModel(emt, Noise(**amplitudes))) == ["not-deterministic"]


def test_cache_that_forgets_to_look_at_the_positions(emt):
    assert "stale-results" in faults_of(FaultyModel(emt, StaleCache()))


def species_and_positions(atoms):
    return atoms.numbers.tobytes(), atoms.positions.tobytes()


def positions_and_cell(atoms):
    return atoms.positions.tobytes(), atoms.cell.array.tobytes()


def species_and_fractions(atoms):
    return atoms.numbers.tobytes(), np.round(atoms.get_scaled_positions(wrap=False), 10).tobytes()


def everything_to_three_decimals(atoms):
    return atoms.numbers.tobytes(), atoms.positions.round(3).tobytes(), atoms.cell.array.round(3).tobytes()


@pytest.mark.parametrize(
    "key", [species_and_positions, positions_and_cell, species_and_fractions, everything_to_three_decimals]
)
def test_cache_that_overlooks_something(emt, key):
    assert "stale-results" in faults_of(FaultyModel(emt, StaleCache(key)))


def test_first_answer_that_differs(emt):
    calls = itertools.count()

    def warming_up(model, atoms, item):
        return replace(item, energy=item.energy + 0.1 * (next(calls) == 0))

    assert faults_of(FaultyModel(emt, warming_up)) == ["not-deterministic"]


def test_answer_that_depends_on_the_one_before(emt):
    previous = [0.0]

    def leaking(model, atoms, item):
        before, previous[0] = previous[0], item.energy
        return replace(item, energy=item.energy + 1e-3 * before)

    assert faults_of(FaultyModel(emt, leaking)) == ["not-deterministic"]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))])
def test_atoms_without_forces_are_no_fault(emt, seed):
    """The only atom of a cell has none by symmetry, a lone one since there is nothing else."""
    structures = [
        ("primitive", bulk("Cu")),
        ("lone", Atoms("Cu", cell=[20, 20, 20], pbc=True)),
        ("far apart", Atoms("Au2", [[0, 0, 0], [0, 0, 15]], cell=[20, 20, 30], pbc=True)),
        ("in a box", Atoms("Cu2", [[0, 0, 0], [0, 0, 2.3]], cell=[20, 20, 20], pbc=True)),
    ]
    assert faults_of(emt, structures=structures, seed=seed) == []


def test_no_images_at_all(emt):
    found = faults_of(FaultyModel(emt, no_images))
    assert "misses-periodic-images" in found
    assert "stale-results" not in found


@pytest.mark.parametrize("calculator", [NearestImages, NoSelfImages])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))])
def test_missing_periodic_images(emt, calculator, seed):
    model = CalculatorModel(calculator(), emt.identity, emt.elements)
    found = faults_of(model, seed=seed)
    assert "misses-periodic-images" in found
    assert not [fault for fault in found if fault.startswith(("forces", "direct", "not-"))]


def own(emt, calculator, **arguments):
    """Return the model that the family ``ase`` makes of a calculator."""
    return CalculatorModel(calculator(**arguments), emt.identity, emt.elements, remembers=True)


@pytest.mark.parametrize(
    ("calculator", "expected"),
    [
        (EMT, []),
        (Tolerant, ["stale-results"]),
        (Wrapping, ["modifies-its-input"]),
        (OldNeighbours, ["depends-on-history"]),
    ],
)
def test_calculator_in_a_run(emt, calculator, expected):
    assert faults_of(own(emt, calculator), patience=0) == expected


def test_calculator_that_changes_after_a_thousand_calls(emt):
    assert faults_of(own(emt, Tiring, calls=1000), patience=60) == ["depends-on-history"]


@pytest.mark.parametrize("of_each_atom", [False, True])
def test_energy_that_creeps_is_no_other_fault(emt, of_each_atom):
    assert faults_of(FaultyModel(emt, Creep(1e-9, of_each_atom))) == ["not-deterministic"]


def test_what_a_model_can_do_is_known(emt):
    every = {"energy": True, "forces": True, "stress": True, "direct_forces": False}
    assert verify_model(emt).capabilities == every
    without = verify_model(own(emt, NoStress), patience=0)
    assert without.capabilities == {**every, "stress": False}
    assert without.faults == []


@pytest.mark.parametrize(
    ("forces", "stress", "expected"),
    [
        (-1.0, 1.0, {"forces-wrong-sign"}),
        (1.0, -1.0, {"stress-wrong-sign"}),
        (KCAL, 1.0, {"forces-wrong-unit"}),
        (1.0, GPA, {"stress-in-GPa"}),
    ],
)
def test_signs_and_units_are_judged_where_the_energy_is_rough(emt, forces, stress, expected):
    found = faults_of(FaultyModel(emt, rough_energy, scaled(forces=forces, stress=stress)))
    assert {fault for fault in found if fault.startswith(("forces", "stress"))} == expected


def test_wrong_weights_under_a_right_name(emt):
    """Everything two percent larger is a perfect potential, but not this one."""
    other = FaultyModel(emt, scaled(energy=1.02, forces=1.02, stress=1.02))
    assert faults_of(other) == []
    check = check_fingerprint(other, wanted=True, faults=[])
    assert (check.status, check.fault) == ("failed", "wrong-weights")
    assert check_fingerprint(emt, wanted=True, faults=[]).status == "passed"
    assert check_fingerprint(emt, wanted=False, faults=[]).status == "not-applicable"


def test_weights_with_another_digest(emt):
    assert check_weights(emt, ModelReference("emt")).status == "passed"
    assert check_weights(emt, ModelReference("emt", sha256="0" * 64)).fault == "wrong-weights"


def test_fingerprint_says_nothing_of_the_weights_where_images_are_missing(emt):
    check = check_fingerprint(FaultyModel(emt, no_images), wanted=True, faults=["misses-periodic-images"])
    assert check.status == "not-applicable"


def test_direct_model_is_told_so_and_nothing_else(emt):
    """A model that says so is reported; its stress and its rotations are not judged by the energy."""

    def directional(model, atoms, item):
        forces = item.forces + 0.3 * np.sin(3 * item.forces)[:, [1, 2, 0]]
        return Evaluation(item.energy, forces, item.stress[[2, 1, 0, 5, 3, 4]])

    model = FaultyModel(emt, directional, conservative=False)
    model.equivariant = False
    verification = verify_model(model)
    assert verification.faults == ["direct-forces"]
    assert next(check for check in verification.checks if check.name == "rotation").value > 0.01


def test_direct_model_with_its_stress_in_gpa(emt):
    def rough(model, atoms, item):
        return Evaluation(item.energy, 1.1 * item.forces, item.stress * [1.1, 0.9, 1, 1.2, 0.9, 1] * GPA)

    model = FaultyModel(emt, rough, conservative=False)
    model.equivariant = False
    assert faults_of(model) == ["direct-forces", "stress-in-GPa", "stress-inconsistent"]


def test_single_precision_where_double_was_asked_for(emt):
    """Positions rounded to single precision, as a network with the wrong type of input sees them."""

    class Single(FaultyModel):
        def _evaluate(self, batch, stress):
            rounded = [atoms.copy() for atoms in batch]
            for atoms in rounded:
                atoms.positions = atoms.positions.astype(np.float32)
            return super()._evaluate(rounded, stress)

    assert faults_of(Single(emt)) == ["precision-below-dtype"]


def test_input_that_is_wrapped_in_place(emt):
    class Wrapping(FaultyModel):
        def _evaluate(self, batch, stress):
            for atoms in batch:
                atoms.wrap()
            return super()._evaluate(batch, stress)

    assert faults_of(Wrapping(emt)) == ["modifies-its-input"]


def test_batches_that_mix_up_their_members(emt):
    class Mixing(FaultyModel):
        def atoms_per_batch(self):
            return 40

        def _evaluate(self, batch, stress):
            evaluations = super()._evaluate(batch, stress)
            shift = 0.01 * (len(batch) > 1)
            return [replace(item, energy=item.energy + shift * len(item.forces)) for item in evaluations]

    assert faults_of(Mixing(emt)) == ["batch-differs-from-single"]


def test_asymmetric_stress_of_an_ase_calculator(emt):
    class Asymmetric(EMT):
        def calculate(self, *arguments, **keywords):
            super().calculate(*arguments, **keywords)
            matrix = voigt_6_to_full_3x3_stress(self.results["stress"])
            matrix[1, 0] *= 1.3
            self.results["stress"] = matrix

    assert faults_of(CalculatorModel(Asymmetric(), emt.identity, emt.elements)) == ["stress-not-symmetric"]


def test_user_structures_are_probes(emt):
    slab = fcc111("Cu", (1, 1, 3), vacuum=6.0)
    structures = [
        ("bulk", bulk("Cu", cubic=True)),
        ("slab", slab),
        ("molecule", Atoms("CuAg", [[0, 0, 0], [0, 0, 2.5]])),
    ]
    verification = verify_model(emt, structures)
    assert verification.faults == []
    assert [probe.label for probe in verification.probes][3:] == ["bulk", "slab", "molecule"]
    faulty = FaultyModel(emt, scaled(stress=-1))
    assert verify_model(faulty, structures).faults == ["stress-wrong-sign"]

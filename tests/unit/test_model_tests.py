"""Tests of a model as plain functions: what is planted is found, what is right passes, what is too little is open."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones

from aiida_crucible.analysis.model_tests import conservation, dimers, robustness
from aiida_crucible.analysis.model_tests.accuracy import Labelled, measure_accuracy
from aiida_crucible.analysis.model_tests.accuracy_answer import LabelledSet, check_theories, judge_accuracy
from aiida_crucible.analysis.model_tests.lebedev import ORDERS, lebedev_grid, rotation_grid
from aiida_crucible.analysis.model_tests.rotations import judge_rotations, rotational_discrepancy, turned
from aiida_crucible.analysis.model_tests.settings import validate_model_tests
from aiida_crucible.analysis.model_tests.summary import summarise, worst_of
from aiida_crucible.analysis.model_tests.theories import are_same_theory, name_of_theory
from aiida_crucible.analysis.model_tests.units import ENERGY_UNITS, FORCE_UNITS, STRESS_UNITS, suspected_unit
from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, YES, Answer
from crucible_engine.job.preflight import MINIMUM_DISTANCE

SETTINGS = validate_model_tests({})


@pytest.mark.parametrize("order", ORDERS)
def test_a_grid_integrates_polynomials_up_to_its_order(order):
    directions, weights = lebedev_grid(order)
    assert weights.sum() == pytest.approx(1, abs=1e-14)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, atol=1e-14)
    rng = np.random.default_rng(0)
    for degree in range(order + 1):
        along = directions @ (axis := rng.standard_normal(3)) / np.linalg.norm(axis)
        exact = 0 if degree % 2 else 1 / (degree + 1)
        assert weights @ along**degree == pytest.approx(exact, abs=1e-13)


def test_the_grid_of_order_nine_is_that_of_scipy():
    integrate = pytest.importorskip("scipy.integrate", minversion=None)
    if not hasattr(integrate, "lebedev_rule"):
        pytest.skip("this SciPy has no Lebedev grids")
    points, weights = integrate.lebedev_rule(9)
    own, own_weights = lebedev_grid(9)
    assert len(own) == 38 == points.shape[1]
    for point, weight in zip(points.T, weights, strict=True):
        nearest = np.argmin(np.linalg.norm(own - point, axis=1))
        np.testing.assert_allclose(own[nearest], point, atol=1e-9)
        assert own_weights[nearest] == pytest.approx(weight / (4 * np.pi), rel=1e-9)


def test_rotations_turn_z_into_every_direction():
    matrices, weights = rotation_grid(9, 3)
    assert len(matrices) == 114 and weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(matrices @ matrices.swapaxes(1, 2), np.tile(np.eye(3), (114, 1, 1)), atol=1e-14)
    np.testing.assert_allclose(np.linalg.det(matrices), 1)
    np.testing.assert_allclose(matrices[::3, :, 2], lebedev_grid(9)[0], atol=1e-14)


def _evaluated(frames, calculator):
    for frame in frames:
        frame.calc = calculator
    return np.array([f.get_potential_energy() for f in frames]), np.array([f.get_forces() for f in frames])


def test_a_model_that_turns_with_the_structure_has_no_discrepancy():
    found = rotational_discrepancy(*_evaluated(turned(bulk("Cu", cubic=True), SETTINGS), EMT()), SETTINGS)
    assert found.energy < 1e-12 and found.force < 1e-12
    answer = judge_rotations({"Cu": found}, SETTINGS)
    assert answer.answer == YES and "38 rotations" in answer.reason


@pytest.mark.parametrize("size", [1e-5, 1e-2])
def test_an_energy_of_the_orientation_has_the_standard_deviation_that_it_was_given(size):
    """An energy of size · cos² of the angle between a bond and z has the mean 1/3 and the mean square 1/5."""
    frames = turned(Atoms("Cu2", [[0, 0, 0], [0, 0, 2]]), {**SETTINGS, "displacement": 0.0})
    cosines = np.array([(f.positions[1, 2] - f.positions[0, 2]) / 2 for f in frames])
    energies = 2 * size * cosines**2
    found = rotational_discrepancy(energies, np.zeros((38, 2, 3)), SETTINGS)
    assert found.energy == pytest.approx(size * np.sqrt(1 / 5 - 1 / 9), rel=1e-9)
    assert judge_rotations({"Cu": found}, SETTINGS).answer == (YES if size < 1e-3 else NO)


def test_forces_that_do_not_turn_are_found_where_the_energy_does():
    frames = turned(bulk("Cu", cubic=True), SETTINGS)
    energies, forces = _evaluated(frames, EMT())
    found = rotational_discrepancy(energies, forces + np.array([0.1, 0, 0]), SETTINGS)
    assert found.energy < 1e-12
    # A fixed vector turned back has a mean of zero over the grid, and a third of its square in each component.
    assert found.force == pytest.approx(0.1 / np.sqrt(3), rel=1e-6)
    assert judge_rotations({"Cu": found}, SETTINGS).answer == NO


def test_orientations_without_numbers_are_a_fault_and_none_at_all_is_open():
    energies, forces = np.zeros(38), np.zeros((38, 2, 3))
    some = np.where(np.arange(38) < 3, np.nan, energies)
    found = rotational_discrepancy(some, forces, SETTINGS)
    assert found.n_finite == 35 and judge_rotations({"a": found}, SETTINGS).answer == NO
    nothing = rotational_discrepancy(energies * np.nan, forces, SETTINGS)
    answer = judge_rotations({"a": nothing}, SETTINGS)
    assert answer.answer == CANNOT_TELL and "it would take" in answer.reason


def _curve(energy, settings=SETTINGS, pair=("Cu", "Cu")):
    distances = dimers.distances_of(pair, settings)
    energies = energy(distances)
    slopes = (energy(distances + 1e-5) - energy(distances - 1e-5)) / 2e-5
    forces = np.zeros((len(distances), 2, 3))
    forces[:, 0, 0], forces[:, 1, 0] = slopes, -slopes
    return dimers.dimer_curve(pair, energies, forces, settings)


def _morse(distance):
    return 2.0 * ((1 - np.exp(-1.4 * (distance - 2.2))) ** 2 - 1)


def test_a_morse_curve_is_as_pairs_are():
    curve = _curve(_morse)
    assert curve.faults == [] and len(curve.distances) == 10
    radius = dimers.bond_length(("Cu", "Cu")) / 2
    assert curve.distances[0] == pytest.approx(0.9 * radius) and curve.distances[-1] == pytest.approx(5 * radius)
    assert curve.energies[-1] == 0 and curve.forces[0] > 0
    assert dimers.judge_dimers({"Cu_Cu": curve}, SETTINGS, {}).answer == YES


@pytest.mark.parametrize(
    ("energy", "fault"),
    [
        (lambda d: _morse(np.maximum(d, 1.6)) - 3 * (d < 1.6) * (1.6 - d), "the energy falls where the atoms come"),
        (lambda d: _morse(d) - 1.5 * np.exp(-(((d - 4.3) / 0.5) ** 2)), "the energy has minima at"),
        (lambda d: 0 * d, "the energy falls where the atoms come"),
        (lambda d: np.where(d < 1.3, np.nan, _morse(d)), "no finite number at 1.19 Å"),
    ],
    ids=["hole", "second-minimum", "nothing", "nan"],
)
def test_a_planted_fault_of_a_pair_is_found(energy, fault):
    curve = _curve(energy)
    assert len(curve.faults) == 1 and fault in curve.faults[0]
    answer = dimers.judge_dimers({"Cu_Cu": curve, "Au_Au": _curve(_morse)}, SETTINGS, {})
    assert answer.answer == NO and answer.reason.startswith("Cu_Cu: ")


def test_forces_that_do_not_repel_where_the_energy_rises_are_found():
    distances = dimers.distances_of(("Cu", "Cu"), SETTINGS)
    curve = dimers.dimer_curve(("Cu", "Cu"), _morse(distances), np.zeros((10, 2, 3)), SETTINGS)
    assert "does not repel" in curve.faults[0]


def test_two_atoms_of_hydrogen_are_not_nearer_than_the_engine_takes():
    distances = dimers.distances_of(("H", "H"), SETTINGS)
    assert distances[0] > MINIMUM_DISTANCE and (distances < dimers.CLOSE * dimers.bond_length(("H", "H"))).sum() == 2


def test_pairs_of_a_material_and_of_all_elements():
    assert dimers.pairs_of(["Ti", "O"]) == [("O", "O"), ("O", "Ti"), ("Ti", "Ti")]
    assert dimers.pairs_of(["Ti", "O"], is_all=True) == [("O", "O"), ("Ti", "Ti")]
    answer = dimers.judge_dimers({}, SETTINGS, {"U_U": "the model does not know the element"})
    assert answer.answer == CANNOT_TELL


def _labelled(n_frames=60, seed=0):
    """Return labels by EMT of disturbed Cu3Au, which a model is compared with."""
    rng = np.random.default_rng(seed)
    start = bulk("Cu", cubic=True)
    start.numbers[0] = 79
    frames = []
    for _ in range(n_frames):
        frame = start.copy()
        frame.set_cell(frame.cell.array @ (np.eye(3) + 0.03 * rng.standard_normal((3, 3))), scale_atoms=True)
        frame.rattle(0.1, rng=rng)
        frame.calc = EMT()
        frames.append(frame)
    energies = np.array([f.get_potential_energy() for f in frames])
    forces = np.array([f.get_forces() for f in frames])
    stresses = np.array([f.get_stress() for f in frames])
    return start.numbers, energies, forces, stresses


def _group(scale=(1.0, 1.0, 1.0), shift=0.0, noise=0.0, subsets=()):
    numbers, energies, forces, stresses = _labelled()
    rng = np.random.default_rng(1)
    predicted = {
        "energies": energies + noise * rng.standard_normal(len(energies)),
        "forces": forces + noise * rng.standard_normal(forces.shape),
        "stresses": stresses,
    }
    labels = energies * scale[0] + shift, forces * scale[1], stresses * scale[2]
    return Labelled(numbers, *labels, predicted, list(subsets), np.arange(len(energies)))


SET = LabelledSet("mine", "PBE", ("Au", "Cu"), 0, True)


def test_errors_are_those_that_were_planted():
    found = measure_accuracy([_group(noise=0.05, shift=-4000.0)], SETTINGS)
    assert found["force"]["mean_absolute_error"] == pytest.approx(0.05 * np.sqrt(2 / np.pi), rel=0.1)
    assert found["force"]["root_mean_square_error"] == pytest.approx(0.05, rel=0.1)
    assert found["energy"]["mean_absolute_error"] == pytest.approx(0.05 / 4 * np.sqrt(2 / np.pi), rel=0.3)
    assert found["energy"]["n_fitted"] == 1
    assert found["stress"]["mean_absolute_error"] == 0
    assert sorted(found["by_element"]) == ["Au", "Cu"]
    answer = judge_accuracy(SET, found, "PBE", SETTINGS)
    assert answer.answer == YES and "±" in answer.reason


def test_without_a_shift_a_constant_is_an_error():
    found = measure_accuracy([_group(shift=4.0)], {**SETTINGS, "energy_shift": "none"})
    assert found["energy"]["mean_absolute_error"] == pytest.approx(1.0)
    assert judge_accuracy(SET, found, "PBE", SETTINGS).answer == NO


@pytest.mark.parametrize(
    ("scale", "said"),
    [
        ((units.mol / units.kcal, 1, 1), "the energy labels seem to be in kcal/mol"),
        ((1, units.mol / units.kcal, 1), "the force labels seem to be in kcal/mol/Å"),
        ((1 / units.Hartree, units.Bohr / units.Hartree, 1), "the force labels seem to be in Hartree/bohr"),
        ((1, -1, 1), "the force labels seem to be in gradients"),
        ((1, 1, -1), "the stress labels seem to be in the other sign"),
        ((1, 1, 1 / units.GPa), "the stress labels seem to be in GPa"),
        ((1, 1, -10 / units.GPa), "the stress labels seem to be in kbar of the other sign"),
    ],
)
def test_labels_in_another_unit_are_no_fault_of_the_model(scale, said):
    found = measure_accuracy([_group(scale, noise=0.02)], SETTINGS)
    answer = judge_accuracy(SET, found, "PBE", SETTINGS)
    assert answer.answer == CANNOT_TELL and said in answer.reason


def test_a_bad_model_is_no_unit():
    rng = np.random.default_rng(0)
    labels, predicted = rng.standard_normal((2, 1000))
    for factors in (ENERGY_UNITS, FORCE_UNITS, STRESS_UNITS):
        assert suspected_unit(labels, predicted, factors) is None
        assert suspected_unit(labels, 0.7 * labels + 0.1 * predicted, factors) is None
        assert suspected_unit(labels[:5], labels[:5] / 23, factors) is None


def test_few_frames_are_not_enough_for_an_answer():
    group = _group(noise=0.05)
    few = Labelled(
        group.numbers, group.energies[:1], group.forces[:1], None,
        {name: values[:1] for name, values in group.predicted.items()}, [], np.arange(1),
    )  # fmt: skip
    found = measure_accuracy([few], SETTINGS)
    assert found["energy"]["mean_absolute_error"] is None
    assert judge_accuracy(SET, found, "PBE", SETTINGS).answer == CANNOT_TELL


def test_subsets_and_frames_without_numbers_are_told():
    group = _group(noise=0.3, subsets=["a"] * 30 + ["b"] * 30)
    group.predicted["energies"][:2] = np.nan
    found = measure_accuracy([group], SETTINGS)
    assert {name: part["n_frames"] for name, part in found["by_subset"].items()} == {"a": 28, "b": 30}
    answer = judge_accuracy(SET, found, "PBE", SETTINGS)
    assert answer.answer == NO and "2 of 60 frames gave no finite numbers" in answer.reason


def test_levels_of_theory_are_not_compared_unless_that_is_said():
    assert name_of_theory("PBE", True, False) == "PBE+U" and name_of_theory(None, None, None) is None
    assert are_same_theory("PBEsol", "pbe-sol", ["Pb"]) and not are_same_theory("PBE", "PBEsol", ["Pb"])
    assert are_same_theory("PBE+U", "PBE", ["Pb", "Ti", "O"]) and not are_same_theory("PBE+U", "PBE", ["Ni", "O"])
    with pytest.raises(ValueError, match=r"are of PBE and the model is of PBEsol; .*30 to 120 meV/atom"):
        check_theories(SET, "PBEsol", SETTINGS)
    with pytest.raises(ValueError, match="level of theory of the model is not known"):
        check_theories(SET, None, SETTINGS)
    across = validate_model_tests({"across_theories": True})
    check_theories(SET, "PBEsol", across)
    answer = judge_accuracy(SET, measure_accuracy([_group()], across), "PBEsol", across)
    assert answer.answer == CANNOT_TELL and "no judgement" in answer.reason


def test_starts_differ_and_are_the_same_each_time():
    crystals = robustness.crystals()
    assert {name: len(atoms) for name, atoms in crystals.items()} == {
        "BeO_wurtzite": 4, "BeTe_zincblende": 2, "LiBr_rocksalt": 2,
    }  # fmt: skip
    first, again = (robustness.disturbed_starts(crystals["BeO_wurtzite"], SETTINGS, 0) for _ in range(2))
    assert len(first) == 20 and all((a.positions == b.positions).all() for a, b in zip(first, again, strict=True))
    cells = np.array([start.cell.array for start in first]) - crystals["BeO_wurtzite"].cell.array
    assert cells.std() == pytest.approx(0.1, rel=0.15) and abs(cells.mean()) < 0.03


@pytest.mark.parametrize(
    ("converged", "total", "answer"), [(60, 60, YES), (20, 20, CANNOT_TELL), (58, 60, CANNOT_TELL), (40, 60, NO)]
)
def test_a_share_is_judged_with_its_error(converged, total, answer):
    outcomes = {"a": ["converged"] * converged + ["not-converged"] * (total - converged)}
    found = robustness.judge_robustness(outcomes, {"a": [7] * total}, {"b": "the model does not know Be"}, 0.9)
    assert found.answer == answer and "b is left out: the model does not know Be" in found.reason


def _energies(drift, noise=1e-4, n=2000, n_atoms=32):
    times = np.arange(n) * 0.0025
    return times, -100 + n_atoms * drift * times + noise * np.random.default_rng(0).standard_normal(n)


@pytest.mark.parametrize(
    ("drift", "noise", "answer"), [(0, 1e-4, YES), (1e-3, 1e-4, NO), (-1e-3, 1e-4, NO), (1e-4, 1.0, CANNOT_TELL)]
)
def test_a_drift_is_judged_with_its_error(drift, noise, answer):
    found = conservation.judge_conservation("stable", *_energies(drift, noise), 32, 1e-4)
    assert found.answer == answer
    if noise < 1e-3:
        assert found.evidence["drift"] == pytest.approx(drift, abs=1e-5)


def test_a_run_that_explodes_or_is_short_is_told():
    assert conservation.judge_conservation("exploded", *_energies(0), 32, 1e-4).answer == NO
    assert conservation.judge_conservation("stable", *_energies(0, n=2), 32, 1e-4).answer == CANNOT_TELL


@pytest.mark.parametrize(("heat", "answer"), [(1.0, YES), (1.2, NO)])
def test_an_element_that_is_too_hot_is_found(heat, answer):
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True) * (2, 2, 2)
    masses, rng = atoms.get_masses(), np.random.default_rng(0)
    hot = np.where(atoms.numbers == 17, heat, 1.0)
    momenta = rng.standard_normal((400, len(atoms), 3)) * np.sqrt(500 * units.kB * masses * hot)[:, None]
    momenta -= masses[:, None] * momenta.sum(axis=1, keepdims=True) / masses.sum()
    velocities = momenta / masses[:, None] * units.fs
    found = conservation.temperatures_by_element(atoms.numbers, masses, velocities)
    assert sorted(found) == ["Cl", "Na", "all"]
    assert found["Na"].mean() == pytest.approx(500, rel=0.02)
    judged = conservation.judge_equipartition("stable", found, 500.0, 0.05)
    assert judged.answer == answer and "Cl" in judged.reason
    few = {name: series[:5] for name, series in found.items()}
    assert conservation.judge_equipartition("stable", few, 500.0, 0.05).answer == CANNOT_TELL


def test_all_answers_together():
    answers = {name: Answer(name, given, "because") for name, given in (("a", YES), ("b", CANNOT_TELL))}
    assert summarise(answers)["outcome"] == "cannot-tell"
    assert summarise({**answers, "c": Answer("c", NO, "")})["outcome"] == "failed"
    assert summarise({"a": answers["a"]})["outcome"] == "passed"
    assert worst_of(answers).reason == "b: because"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lebedev_order": 4}, "there are grids of order 3, 5, 7, 9"),
        ({"dimer_distance": 4}, "has no parameter 'dimer_distance'"),
        ({"starts": 0}, "'starts' of model tests"),
    ],
)
def test_settings_that_cannot_be_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        validate_model_tests(given)


def test_a_lennard_jones_pair_passes():
    frames = dimers.dimers(("Cu", "Cu"), SETTINGS)
    energies, forces = _evaluated(frames, LennardJones(sigma=2.2, rc=20.0))
    assert dimers.dimer_curve(("Cu", "Cu"), energies, forces, SETTINGS).faults == []

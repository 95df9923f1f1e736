"""What needs stresses is refused by name where the model has none, before the work or as soon as it shows."""

import pytest
from ase.build import bulk
from engine_jobs import calculator_from, run_here, write_job
from forgetful_calculators import NoStress

from crucible_engine.families.base import NO_STRESS, Evaluation, Identity, Model
from crucible_engine.tasks.parameters import lack_of_stress, needs_stress, validate_parameters
from crucible_engine.wire.schema import Condition

NPT = {"ensemble": "npt-mtk-isotropic", "steps": 2, "temperatures": [300.0]}


@pytest.mark.parametrize("name", ["NoStress", "NoStressAfterAll"])
@pytest.mark.parametrize(("task", "parameters"), [("relax", {"cell": "full"}), ("dynamics", NPT)])
def test_what_needs_a_stress_is_refused(tmp_path, name, task, parameters):
    model = calculator_from("forgetful_calculators:make", name=name)
    structures = {"copper": bulk("Cu", cubic=True) * (1, 1, 2)}
    results = run_here(write_job(tmp_path, task, structures, model, **parameters))
    assert results["condition"] == Condition.CAPABILITY_MISSING.value, results["message"]
    assert "gives no stress" in results["message"]
    assert "choose" in results["message"]
    assert "\n" not in results["message"]


@pytest.mark.parametrize(("task", "parameters"), [("relax", {"cell": "full"}), ("dynamics", NPT)])
def test_what_says_that_it_has_none_is_refused_before_the_work(tmp_path, monkeypatch, task, parameters):
    def refuse(*arguments, **keywords):
        raise AssertionError("it was asked")

    monkeypatch.setattr(NoStress, "calculate", refuse)
    model = calculator_from("forgetful_calculators:make", name="NoStress")
    results = run_here(write_job(tmp_path, task, {"copper": bulk("Cu", cubic=True)}, model, **parameters))
    assert results["condition"] == Condition.CAPABILITY_MISSING.value, results["message"]


@pytest.mark.parametrize("name", ["NoStress", "NoStressAfterAll"])
@pytest.mark.parametrize(
    ("task", "parameters"), [("relax", {"cell": "fixed"}), ("dynamics", {"ensemble": "nve", "steps": 2})]
)
def test_what_needs_none_is_done(tmp_path, name, task, parameters):
    model = calculator_from("forgetful_calculators:make", name=name)
    structures = {"copper": bulk("Cu", cubic=True)}
    results = run_here(write_job(tmp_path, task, structures, model, **parameters))
    assert results["condition"] == Condition.FINISHED.value, results["message"]


def test_calculator_without_forces_is_refused(tmp_path):
    model = calculator_from("forgetful_calculators:make", name="NoForces")
    results = run_here(write_job(tmp_path, "evaluate", {"copper": bulk("Cu")}, model))
    assert results["condition"] == Condition.CAPABILITY_MISSING.value
    assert "no forces" in results["message"]


def test_model_without_stress_has_none_through_its_calculator():
    class Flat(Model):
        def _evaluate(self, batch, stress):
            return [Evaluation(0.0, 0 * atoms.positions, NO_STRESS.copy()) for atoms in batch]

    atoms = bulk("Cu")
    atoms.calc = Flat(Identity("flat", "0" * 64, "float64", "cpu"), frozenset()).calculator()
    atoms.get_potential_energy()
    assert "stress" not in atoms.calc.results


def test_needs_are_those_of_the_parameters():
    assert needs_stress("relax", validate_parameters("relax", {"cell": "fixed"})) is None
    assert needs_stress("dynamics", validate_parameters("dynamics", {})) is None
    assert needs_stress("evaluate", validate_parameters("evaluate", {})) is None
    needed = needs_stress("relax", validate_parameters("relax", {}))
    assert "set cell to 'fixed'" in lack_of_stress("mine", needed)

"""An ASE calculator as a model, and a model as an ASE calculator."""

import numpy as np
import pytest
from ase.build import bulk, fcc111, molecule
from ase.calculators.calculator import Calculator, PropertyNotImplementedError
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms, FixSymmetry

from crucible_engine.families.base import Identity, ModelCalculator
from crucible_engine.families.calculators import CalculatorModel
from crucible_engine.wire.schema import Condition, EngineError

IDENTITY = Identity("emt", "0" * 64, "float64", "cpu")


@pytest.fixture
def model():
    return CalculatorModel(EMT(), IDENTITY, frozenset({6, 7, 8, 1, 13, 29}))


@pytest.fixture
def copper():
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=1)
    return atoms


def test_it_gives_what_the_calculator_gives(model, copper):
    (evaluation,) = model.evaluate_batch([copper])
    copper.calc = EMT()
    assert evaluation.energy == copper.get_potential_energy()
    assert (evaluation.forces == copper.get_forces()).all()
    assert (evaluation.stress == copper.get_stress()).all()


def test_constraints_do_not_reach_the_forces(model, copper):
    (free,) = model.evaluate_batch([copper])
    copper.set_constraint([FixAtoms([0, 1])])
    (fixed,) = model.evaluate_batch([copper])
    assert (fixed.forces == free.forces).all()
    ideal = bulk("Cu", cubic=True)
    ideal.set_constraint(FixSymmetry(ideal))
    model.evaluate_batch([ideal])


@pytest.mark.parametrize("atoms", [molecule("CO2"), fcc111("Cu", (1, 1, 3), vacuum=8.0)], ids=["molecule", "slab"])
def test_what_is_not_periodic_has_no_stress(model, atoms):
    (evaluation,) = model.evaluate_batch([atoms])
    assert np.isfinite(evaluation.forces).all() and np.isnan(evaluation.stress).all()


def test_stress_is_left_out_on_request(model, copper):
    (evaluation,) = model.evaluate_batch([copper], stress=False)
    assert np.isnan(evaluation.stress).all()


def test_a_calculator_without_stress_is_no_error(copper):
    class Energetic(Calculator):
        implemented_properties = ("energy", "forces")

        def calculate(self, atoms=None, properties=None, system_changes=None):
            self.results = {"energy": 1, "forces": np.ones((len(atoms), 3), dtype=np.float32)}

    (evaluation,) = CalculatorModel(Energetic(), IDENTITY).evaluate_batch([copper])
    assert np.isnan(evaluation.stress).all() and evaluation.forces.dtype == np.float64


def test_a_stress_given_as_a_matrix_becomes_voigts(copper):
    class Matrix(EMT):
        def calculate(self, *arguments, **keywords):
            super().calculate(*arguments, **keywords)
            self.results["stress"] = np.array([[1, 6, 5], [6, 2, 4], [5, 4, 3.0]])

    (evaluation,) = CalculatorModel(Matrix(), IDENTITY).evaluate_batch([copper])
    assert evaluation.stress.tolist() == [1, 2, 3, 4, 5, 6]


def test_results_of_one_structure_do_not_change_with_the_next(model, copper):
    first, second = model.evaluate_batch([copper, bulk("Al")])
    assert len(first.forces) == 4 and len(second.forces) == 1
    (again,) = model.evaluate_batch([copper])
    assert (again.forces == first.forces).all()


def test_an_unknown_element_is_refused_by_batch_and_calculator(model):
    for evaluate in (lambda: model.evaluate_batch([bulk("Fe")]), lambda: model.require_elements(bulk("Fe"))):
        with pytest.raises(EngineError, match="was not trained on Fe") as caught:
            evaluate()
        assert caught.value.condition is Condition.UNSUPPORTED_ELEMENT


def test_a_model_is_a_calculator_for_ase(model, copper):
    (evaluation,) = model.evaluate_batch([copper])
    copper.calc = ModelCalculator(model)
    assert copper.get_potential_energy() == evaluation.energy
    assert (copper.get_forces() == evaluation.forces).all()
    assert (copper.get_stress() == evaluation.stress).all()
    copper.positions[0, 0] += 0.1
    assert copper.get_potential_energy() != evaluation.energy


def test_a_molecule_has_no_stress_for_ase_either(model):
    atoms = molecule("N2")
    atoms.calc = ModelCalculator(model)
    atoms.get_forces()
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_stress()

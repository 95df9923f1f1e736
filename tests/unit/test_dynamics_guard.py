"""The guard of a replica: its own volume, whoever shares the model with it."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator
from engine_jobs import run_here, write_job

from crucible_engine.families.emt.adapter import OrderedEMT
from crucible_engine.tasks.dynamics.crystal.guard import GuardedCalculator, LostError, volume_of
from crucible_engine.tasks.dynamics.replica import Replica
from crucible_engine.tasks.dynamics.settings import Settings
from crucible_engine.tasks.parameters import validate_parameters

COPPER = bulk("Cu", cubic=True)


def test_replicas_of_very_different_volumes_are_judged_by_their_own(tmp_path):
    structures = {"small": COPPER, "large": COPPER * (2, 4, 4)}
    parameters = {"ensemble": "nve", "temperatures": [300.0, 300.0], "steps": 1}
    replicas = run_here(write_job(tmp_path, "dynamics", structures, **parameters))["summary"]["replicas"]
    assert [replica["outcome"] for replica in replicas.values()] == ["stable", "stable"]


def test_a_shared_calculator_stays_as_it_was():
    calculator = OrderedEMT()
    guarded = [GuardedCalculator(calculator, volume_of(COPPER)) for _ in range(3)]
    for one in guarded:
        atoms = COPPER.copy()
        atoms.calc = one
        atoms.get_forces()
    assert "calculate" not in vars(calculator)


def replica_of(folder, atoms, state=None):
    parameters = {"ensemble": "nve", "temperatures": [300.0], "steps": 10}
    settings = Settings(**validate_parameters("dynamics", parameters))
    return Replica(0, atoms, OrderedEMT(), sites=atoms, settings=settings, folder=folder, state=state)


def test_a_replica_that_is_resumed_is_judged_by_the_volume_of_its_start(tmp_path):
    first = replica_of(tmp_path, COPPER)
    first.begin()
    first.advance()
    scalars, arrays = first.state()
    first.close()
    arrays = {**arrays, "cell": arrays["cell"] * 4.0, "positions": arrays["positions"] * 4.0}
    second = replica_of(tmp_path, COPPER, (scalars, arrays))
    second.advance()
    assert second.finding.outcome == "exploded"
    assert second.finding.evidence["volume_at_start"] == pytest.approx(COPPER.get_volume())


class Meddling(Calculator):
    """Moves the structure that it is asked about, and hands out the same arrays every time."""

    implemented_properties = ("energy", "forces")

    def __init__(self) -> None:
        super().__init__()
        self.handed_out: np.ndarray = np.zeros((4, 3))

    def calculate(self, atoms=None, properties=(), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        atoms.positions += 1.0
        self.handed_out += 1.0
        self.results = {"energy": 0.0, "forces": self.handed_out}


def test_nothing_that_a_calculator_does_to_its_structure_comes_back():
    atoms = COPPER.copy()
    atoms.calc = GuardedCalculator(Meddling(), volume_of(atoms))
    first = atoms.get_forces()
    np.testing.assert_array_equal(atoms.positions, COPPER.positions)
    atoms.positions[0] += 0.1
    atoms.get_forces()
    np.testing.assert_array_equal(first, np.ones((4, 3)))


def test_an_answer_is_kept_whatever_another_replica_makes_of_the_calculator():
    shared = Meddling()
    atoms, other = COPPER.copy(), COPPER.copy()
    for one in (atoms, other):
        one.calc = GuardedCalculator(shared, volume_of(one))
    atoms.get_potential_energy()
    # Of a geometry that is not the first one's, so that the shared calculator computes anew.
    other.positions[0] += 0.1
    other.get_forces()
    np.testing.assert_array_equal(atoms.get_forces(), np.ones((4, 3)))


@pytest.mark.parametrize("change", [{"cell": COPPER.cell.array * 4}, {"cell": COPPER.cell.array / 4}])
def test_a_volume_that_no_model_should_be_asked_about(change):
    atoms = COPPER.copy()
    atoms.set_cell(change["cell"], scale_atoms=True)
    atoms.calc = GuardedCalculator(OrderedEMT(), volume_of(COPPER))
    with pytest.raises(LostError, match=r"the volume went from 47\.05 to"):
        atoms.get_forces()


def test_what_has_no_cell_has_no_volume_to_lose():
    atoms = Atoms("Cu2", positions=[[0, 0, 0], [2.5, 0, 0]])
    atoms.calc = GuardedCalculator(OrderedEMT(), volume_of(atoms))
    assert np.isfinite(atoms.get_forces()).all()

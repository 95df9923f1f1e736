"""What the members of an ensemble make of a relaxed structure: exact, whatever interrupts, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from engine_jobs import read_arrays, run_here, write_job
from numpy.testing import assert_allclose

from crucible_engine.families.base import Evaluation, Identity, Model
from crucible_engine.families.calculators import CalculatorModel
from crucible_engine.families.committee import Committee
from crucible_engine.job import runner
from crucible_engine.tasks.relax import members as relax_members
from crucible_engine.wire.journal import read_journal
from crucible_engine.wire.schema import JOURNAL_FILE, RELAXED_MEMBER

IDENTITY = Identity("emt", "0" * 64, "float64", "cpu")
COPPER = frozenset({29})
FACTORS = (0.98, 1.0, 1.03)


class Stretched(Model):
    """EMT of a geometry that is larger by a factor: its own minimum is smaller by that."""

    def __init__(self, factor):
        super().__init__(IDENTITY, COPPER)
        self._factor, self._emt = factor, CalculatorModel(EMT(), IDENTITY, COPPER)

    def _evaluate(self, batch, stress):
        factor = self._factor
        larger = [atoms.copy() for atoms in batch]
        for atoms in larger:
            atoms.set_cell(factor * atoms.cell.array, scale_atoms=True)
        found = self._emt.evaluate_batch(larger, stress)
        return [Evaluation(one.energy, factor * one.forces, factor**3 * one.stress) for one in found]


@pytest.fixture
def committee(monkeypatch):
    made = Committee([Stretched(factor) for factor in FACTORS], IDENTITY)
    monkeypatch.setattr(runner, "load_model", lambda *_: made)
    return made


def write(folder, **parameters):
    settings = {"fmax": 1e-4, "optimizer": "BFGS", **parameters}
    return write_job(folder, "relax", {"copper": bulk("Cu", cubic=True), "cell": bulk("Cu", a=3.7)}, **settings)


def test_each_member_comes_to_its_own_minimum(committee, tmp_path):
    results = run_here(write(tmp_path))
    assert results["condition"] == "finished", results["message"]
    emt = bulk("Cu", cubic=True)
    own = {}
    for factor in FACTORS:
        emt.calc = EMT()
        own[factor] = 3.5898 / factor  # EMT's lattice constant of copper, Å
    for label, conventional in (("copper", 1.0), ("cell", 0.25)):
        members = results["summary"]["structures"][label]["members"]
        assert [member["outcome"] for member in members] == ["converged"] * 3
        found = [abs(np.linalg.det(member["cell"]) / conventional) ** (1 / 3) for member in members]
        assert_allclose(found, [own[factor] for factor in FACTORS], atol=1e-3)
        energies = np.array([member["energy"] for member in members])
        assert_allclose(energies, energies[0], atol=1e-5)  # the same minimum, elsewhere


def test_the_members_change_nothing_else(committee, tmp_path):
    with_members = run_here(write(tmp_path / "with"))["summary"]["structures"]
    without = run_here(write(tmp_path / "without", members=False))["summary"]["structures"]
    for label, summary in without.items():
        assert "members" not in summary
        assert {**with_members[label], "members": None} == {**summary, "members": None}
    one, other = read_arrays(tmp_path / "with"), read_arrays(tmp_path / "without")
    assert sorted(one) == sorted(other)
    assert all(np.array_equal(one[name], other[name]) for name in one)


class DeadError(BaseException):
    """The process is no more."""


@pytest.mark.parametrize("survivors", [0, 1, 4])
def test_a_job_that_dies_among_its_members_goes_on_to_the_same_bits(committee, tmp_path, monkeypatch, survivors):
    whole = run_here(write(tmp_path / "whole"))["summary"]["structures"]
    left, relax = [survivors], relax_members.relax_structure

    def mortal(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise DeadError
        return relax(*arguments)

    monkeypatch.setattr(relax_members, "relax_structure", mortal)
    assert run_here(write(tmp_path / "mortal"))["condition"] != "finished"
    kept = [record for record in read_journal(tmp_path / "mortal" / JOURNAL_FILE)[1] if record.kind == RELAXED_MEMBER]
    assert len(kept) == survivors
    left[0] = 100
    again = run_here(tmp_path / "mortal")["summary"]
    assert left[0] == 100 - (6 - survivors)
    assert again["structures"] == whole


def test_a_member_without_a_minimum_is_a_result(monkeypatch, tmp_path):
    class Repelling(Stretched):
        def _evaluate(self, batch, stress):
            return [
                Evaluation(-np.log(atoms.get_volume()), np.zeros((len(atoms), 3)), np.array([-1.0] * 3 + [0.0] * 3))
                for atoms in batch
            ]

    class Heavy(Stretched):
        """So much stiffer that the mean has a minimum."""

        def _evaluate(self, batch, stress):
            return [
                Evaluation(1e3 * one.energy, 1e3 * one.forces, 1e3 * one.stress)
                for one in super()._evaluate(batch, stress)
            ]

    made = Committee([Heavy(1.0), Repelling(1.0)], IDENTITY)
    monkeypatch.setattr(runner, "load_model", lambda *_: made)
    results = run_here(write(tmp_path, max_steps=200, fmax=0.01))
    assert results["condition"] == "finished", results["message"]
    outcomes = [member["outcome"] for member in results["summary"]["structures"]["copper"]["members"]]
    assert outcomes == ["converged", "runaway"]

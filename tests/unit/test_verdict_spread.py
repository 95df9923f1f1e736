"""What the spread of an ensemble leaves open of lattices and energies: a mean that is right is no yes by itself."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from numpy.testing import assert_allclose

from aiida_crucible.analysis.crystal.cells import lattice_parameters, member_lattices
from aiida_crucible.analysis.crystal.ensemble import describe_ensemble, difference_interval
from aiida_crucible.analysis.statistics.members import half_interval, interval_factor
from aiida_crucible.analysis.verdict.expectations import Expectations
from aiida_crucible.analysis.verdict.judgements import judge
from aiida_crucible.analysis.verdict.reliability import assess, validate_thresholds
from crucible_engine.wire.rules import ParameterError

VERIFIED = {"outcome": "passed", "summary": {"faults": []}}
THRESHOLDS = validate_thresholds({})
CUBE = bulk("NaCl", "rocksalt", 5.0, cubic=True)
TETRAGONAL = Atoms(
    "PbTiO3",
    [(0, 0, 0), (1.9, 1.9, 2.2), (1.9, 1.9, 0.4), (1.9, 0, 2.5), (0, 1.9, 2.5)],
    cell=[3.8, 3.8, 4.2],
    pbc=True,
)


def members(scales, energies=None, outcomes=None):
    energies = energies or [-20.0] * len(scales)
    outcomes = outcomes or ["converged"] * len(scales)
    return [
        {"outcome": outcome, "steps": 3, "energy": energy, "cell": (scale * CUBE.cell.array).tolist()}
        for scale, energy, outcome in zip(scales, energies, outcomes, strict=True)
    ]


def relaxed(scales, energy=-5.0, **of_members):
    found = members(scales, **of_members)
    return {
        "outcome": "converged",
        "lattice": lattice_parameters(CUBE, 1e-3),
        "energy_per_formula_unit": energy,
        "ensemble": describe_ensemble(CUBE, found, 1e-3),
    }


def answers(reference, **phases):
    return assess(VERIFIED, {"structures": phases}, None, reference, THRESHOLDS)


@pytest.mark.parametrize(
    "atoms", [bulk("Cu"), bulk("Ti"), TETRAGONAL, TETRAGONAL[[0]]], ids=["fcc", "hcp", "P4mm", "P4/mmm"]
)
def test_lattices_of_members_are_of_one_conventional_cell(atoms):
    stretched = atoms.cell.array @ np.diag([1.0, 1.0, 1.02])
    found = member_lattices(atoms, np.array([atoms.cell.array, stretched]), 1e-3)
    own = lattice_parameters(atoms, 1e-3)
    assert sorted(found) == sorted(own)
    assert all(found[name][0] == pytest.approx(own[name], rel=1e-9) for name in own)
    assert found["volume"][1] == pytest.approx(1.02 * own["volume"])


def test_a_longer_axis_stays_the_same_axis():
    """A member that makes c the shortest has not turned the crystal."""
    cells = np.array([np.diag([3.8, 3.8, length]) for length in (4.2, 3.7)])
    assert_allclose(member_lattices(TETRAGONAL, cells, 1e-3)["c"], [4.2, 3.7])


def test_intervals_are_those_of_a_further_member():
    found = relaxed([0.99, 1.0, 1.01])["ensemble"]
    assert (found["n_members"], found["n_converged"]) == (3, 3)
    assert_allclose(found["lattice"]["a"], [4.95, 5.0, 5.05])
    assert found["intervals"]["a"] == pytest.approx(interval_factor(3) * 0.05)
    assert half_interval([1.0]) is None


@pytest.mark.parametrize(
    ("a", "scales", "answer", "said"),
    [
        (5.02, [0.9995, 1.0, 1.0005], "yes", "the members of the ensemble agree on it"),
        (5.02, [0.98, 1.0, 1.02], "cannot-tell", "the members of the ensemble leave a open by"),
        (5.3, [0.9995, 1.0, 1.0005], "no", "a deviates most: 5 against 5.3 (-5.7 %)"),
        (5.3, [0.97, 1.0, 1.03], "cannot-tell", "a deviates by -5.7 %"),
    ],
)
def test_a_lattice_is_told_only_as_far_as_members_agree(a, scales, answer, said):
    found = answers({"lattice": {"a": a}}, structure=relaxed(scales))["lattice"]
    assert found["answer"] == answer, found
    assert said in found["reason"]
    judged = judge({**TOLD, "lattice": found}, relaxed(scales), Expectations(), None)["crystal"]
    assert judged.judgement == {"yes": "right", "no": "wrong"}.get(answer, "open")


TOLD = {
    "verification": {"answer": "yes", "reason": ""},
    "energies": {"answer": "cannot-tell", "reason": "", "evidence": {}},
    "stability": {"answer": "yes", "reason": ""},
}


@pytest.mark.parametrize(("scales", "judgement"), [([0.999, 1.0, 1.001], "right"), ([0.97, 1.0, 1.03], "open")])
def test_the_cell_that_was_given_is_kept_only_as_far_as_members_agree(scales, judgement):
    lattice = {"answer": "cannot-tell", "reason": "there is no reference", "evidence": {}}
    judged = judge({**TOLD, "lattice": lattice}, relaxed(scales), Expectations(), {"a": 5.05})["crystal"]
    assert judged.judgement == judgement, judged


def test_a_member_without_a_minimum_leaves_the_lattice_open():
    main = relaxed([1.0, 1.0, 1.0], outcomes=["converged", "converged", "runaway"])
    found = answers({"lattice": {"a": 5.0}}, structure=main)["lattice"]
    assert found["answer"] == "cannot-tell" and "did not relax" in found["reason"]
    assert found["evidence"]["doubts"] == {"a": None}


def test_the_order_of_phases_is_told_by_differences_that_members_share():
    """Members 1 eV apart agree on a difference; members whose differences change sign do not."""
    main = relaxed([1.0] * 3, energies=[-20.0, -24.0, -28.0])
    higher = relaxed([1.0] * 3, energy=-4.8, energies=[-19.2, -23.2, -27.2])
    assert difference_interval(higher["ensemble"], main["ensemble"]) == pytest.approx(0.0, abs=1e-9)
    assert answers(None, structure=main, cubic=higher)["energies"]["answer"] == "yes"
    doubtful = relaxed([1.0] * 3, energy=-4.8, energies=[-18.0, -23.2, -28.4])
    found = answers(None, structure=main, cubic=doubtful)["energies"]
    assert found["answer"] == "cannot-tell"
    assert "eV that the members of the ensemble leave open" in found["reason"]
    assert found["evidence"]["doubts"]["cubic"] == pytest.approx(interval_factor(3) * 0.3)


def test_the_tolerance_is_still_that_of_the_reference():
    with pytest.raises(ParameterError, match="lattice_tolerance"):
        validate_thresholds({"lattice_tolerance": 2.0})

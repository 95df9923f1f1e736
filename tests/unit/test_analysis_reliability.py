"""Answers follow from the numbers: agreement, order, ties, and what is left open."""

from __future__ import annotations

import pytest

from aiida_crucible.analysis.verdict.reliability import assess, check_reference, validate_thresholds

VERIFIED = {"outcome": "passed", "summary": {"faults": []}}
PHONONS = {
    "outcome": "stable",
    "verdict": {
        "verdict": "stable",
        "reason": "every mode is real",
        "qpoint": [0.5, 0, 0],
        "branch": 0,
        "frequency": 1.0,
        "resolvable_frequency": 0.1,
        "remark": "",
    },
    "force_noise": {"floor": 1e-6},
    "lowest_mesh_frequency": 0.9,
}


def phase(energy, a=4.0, c=4.0, outcome="converged"):
    return {"outcome": outcome, "energy_per_formula_unit": energy, "lattice": {"a": a, "c": c, "c_over_a": c / a}}


def assessed(phases, reference=None, phonons=PHONONS, verification=VERIFIED, **thresholds):
    relaxation = {"outcome": "converged", "structures": phases}
    return assess(verification, relaxation, phonons, reference, validate_thresholds(thresholds))


def test_a_lattice_agrees_within_the_tolerance_and_not_beyond():
    reference = {"lattice": {"a": 4.05, "c": 4.0}}
    assert assessed({"structure": phase(0.0)}, reference)["lattice"]["answer"] == "yes"
    found = assessed({"structure": phase(0.0)}, reference, lattice_tolerance=0.01)["lattice"]
    assert found["answer"] == "no"
    assert found["reason"].startswith("a deviates most: 4 against 4.05 (-1.2 %)")
    assert assessed({"structure": phase(0.0)})["lattice"]["answer"] == "cannot-tell"


@pytest.mark.parametrize(
    ("energies", "wanted", "answer"),
    [
        ({"structure": 0.0, "one": 0.1, "two": 0.2}, {"one": 0.05, "two": 0.3}, "yes"),
        ({"structure": 0.0, "one": 0.1, "two": 0.2}, {"one": 0.3, "two": 0.05}, "no"),
        ({"structure": 0.0, "one": -0.1, "two": 0.2}, {"one": 0.05, "two": 0.3}, "no"),
        ({"structure": 0.0, "one": 0.1, "two": 0.1005}, {"one": 0.05, "two": 0.3}, "cannot-tell"),
        ({"structure": 0.0, "one": 0.1, "two": 0.1005}, {"one": 0.05}, "yes"),
        ({"structure": 0.0, "one": 0.1, "two": 0.1005}, {}, "yes"),
        ({"structure": 0.0, "one": -0.1}, {}, "no"),
        ({"structure": 0.0, "one": -0.0005}, {}, "cannot-tell"),
        ({"structure": 0.0}, {}, "cannot-tell"),
    ],
)
def test_the_order_of_energies_is_the_references_or_else_the_structure_the_lowest(energies, wanted, answer):
    phases = {name: phase(energy) for name, energy in energies.items()}
    assert assessed(phases, {"energy_differences": wanted})["energies"]["answer"] == answer


def test_what_did_not_relax_leaves_its_questions_open():
    phases = {"structure": phase(0.0, outcome="runaway"), "one": phase(None, outcome="non-finite")}
    found = assessed(phases, {"lattice": {"a": 4.0}}, phonons=None)
    assert {found[name]["answer"] for name in ("lattice", "energies", "stability")} == {"cannot-tell"}
    assert "structure (runaway), one (non-finite)" in found["energies"]["reason"]


@pytest.mark.parametrize(("verdict", "answer"), [("stable", "yes"), ("imaginary", "no"), ("cannot-tell",) * 2])
def test_the_phonons_verdict_becomes_the_answer(verdict, answer):
    phonons = {**PHONONS, "verdict": {**PHONONS["verdict"], "verdict": verdict}}
    assert assessed({"structure": phase(0.0)}, phonons=phonons)["stability"]["answer"] == answer


def test_forces_that_are_no_numbers_and_faults_are_findings():
    phonons = {"outcome": "non-finite", "reason": "the model gave NaN"}
    failed = {"outcome": "failed", "summary": {"faults": ["stress-unit"]}}
    found = assessed({"structure": phase(0.0)}, phonons=phonons, verification=failed)
    assert found["stability"]["reason"] == "the model gave NaN"
    assert found["verification"]["answer"] == "no"
    assert "stress-unit" in found["verification"]["reason"]


def test_a_reference_of_nothing_that_is_computed_is_refused():
    check_reference({"source": "x", "lattice": {"a": 1.0}, "energy_differences": {"one": 0.0}}, {"one"})
    with pytest.raises(ValueError, match="did you mean 'energy_differences'"):
        check_reference({"energy_diferences": {}}, set())
    with pytest.raises(ValueError, match="no competing phase"):
        check_reference({"energy_differences": {"one": 0.0}}, set())

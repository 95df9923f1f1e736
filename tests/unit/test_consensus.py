"""Models beside each other: who stands apart, who agrees best with the reference, and when nobody can tell."""

from __future__ import annotations

import pytest

from aiida_crucible.analysis.comparison.consensus import compare, consensus_of, failed_row, row_of
from aiida_crucible.analysis.verdict.reliability import validate_thresholds

THRESHOLDS = validate_thresholds({})


def row(a=4.0, c=4.2, cubic=0.1, stable="yes", trusted="yes"):
    lattice = {"a": a, "b": a, "c": c, "c_over_a": c / a, "volume": a * a * c}
    phases = {
        "structure": {"outcome": "converged", "lattice": lattice, "energy_per_formula_unit": -30.0},
        "cubic": {"outcome": "converged", "lattice": lattice, "energy_per_formula_unit": -30.0 + cubic},
    }
    answers = {"stability": {"answer": stable, "evidence": {"lowest_mesh_frequency": 1.0}}}
    return row_of("a model", {"structures": phases}, {"trusted": trusted, "headline": "said"}, answers)


def test_the_one_that_stands_apart_is_named():
    """The published row of supertetragonal models: three agree, one has c/a 1.32."""
    rows = {"one": row(3.87, 4.20), "two": row(3.88, 4.19), "three": row(3.88, 4.21), "four": row(3.80, 5.01)}
    found = compare(rows, {}, THRESHOLDS)
    assert set(found["outliers"]) == {"four"}
    assert {"c", "c_over_a", "volume"} <= set(found["outliers"]["four"])
    assert found["agreement"]["answer"] == "no"
    assert "c is 4.19 to 5.01" in found["agreement"]["reason"] or "c/a is" in found["agreement"]["reason"]


def test_a_tolerance_of_lengths_is_thrice_that_of_a_volume():
    """A cubic crystal: 0.9 % of a length is 2.8 % of the volume, and within 2 % of lengths."""
    rows = {str(number): row(length, length) for number, length in enumerate((3.908, 3.940, 3.944))}
    found = compare(rows, {}, THRESHOLDS)["agreement"]
    assert found["answer"] == "yes"
    assert found["evidence"]["widths"]["volume"] == pytest.approx(found["evidence"]["widths"]["a"], rel=0.02)


def test_small_differences_are_none():
    rows = {label: row(3.87 + 0.001 * number, 4.20) for number, label in enumerate("abcde")}
    rows["f"] = row(3.878, 4.205)
    found = compare(rows, {}, THRESHOLDS)
    assert found["outliers"] == {}
    assert found["agreement"]["answer"] == "yes"


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_models_agree_about_nothing(count):
    found = compare({f"model_{number}": row() for number in range(count)}, {}, THRESHOLDS)
    assert found["agreement"]["answer"] == "cannot-tell"
    assert "it takes 3" in found["agreement"]["reason"]


def test_of_three_nobody_stands_apart():
    assert consensus_of({"a": 1.0, "b": 1.0, "c": 9.0}, 0.1).outliers == ()
    assert consensus_of({"a": 1.0, "b": 1.0, "c": 9.0, "d": 1.0}, 0.1).outliers == ("c",)


def test_they_may_differ_about_phases_and_stability():
    signs = {"one": row(cubic=0.1), "two": row(cubic=0.05), "three": row(cubic=-0.05)}
    assert "energy of cubic is -0.050 to +0.100" in compare(signs, {}, THRESHOLDS)["agreement"]["reason"]
    stable = {"one": row(), "two": row(), "three": row(stable="no")}
    assert "it is unstable for three only" in compare(stable, {}, THRESHOLDS)["agreement"]["reason"]


def test_the_reference_ranks():
    """[PTO], Table 2: CHGNet, the fine-tuned MACE and GPTFF beside PBEsol."""
    rows = {
        "chgnet": row(3.80, 5.01, 0.24, trusted="no"),
        "mace_ft": row(3.89, 4.16, 0.08),
        "gptff": row(3.84, 4.68, 0.14, trusted="cannot-tell"),
    }
    reference = {"lattice": {"a": 3.87, "c": 4.20}, "energy_differences": {"cubic": 0.08}}
    found = compare(rows, reference, THRESHOLDS)
    assert [each["label"] for each in found["ranking"]] == ["mace_ft", "gptff", "chgnet"]
    assert found["ranking"][0]["deviations"]["energy of cubic"] == pytest.approx(0.0)
    assert found["ranking"][2]["deviations"]["c"] == pytest.approx(5.01 / 4.20 - 1)


def test_a_model_that_fails_is_a_row_with_a_reason():
    rows = {"one": row(), "two": failed_row("two", "it was not trained on Pb")}
    molten = row_of(
        "three",
        {"structures": {"structure": {"outcome": "runaway", "lattice": None, "energy_per_formula_unit": None}}},
        {"trusted": "no", "headline": "said"},
        {"stability": {"answer": "cannot-tell"}},
    )
    found = compare({**rows, "three": molten}, {"lattice": {"a": 4.0}}, THRESHOLDS)
    assert found["failed"]["two"] == "it was not trained on Pb"
    assert "runaway" in found["failed"]["three"]
    assert [each["label"] for each in found["ranking"]] == ["one"]
    assert compare({"two": rows["two"]}, {}, THRESHOLDS)["consensus"] == {}

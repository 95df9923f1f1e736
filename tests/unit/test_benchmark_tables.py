"""Benchmark rows taken together: numbers computed by hand, published matrices, rows that are wrong."""

from __future__ import annotations

import csv
import io
import json

import matplotlib.cbook
import numpy as np
import pytest
from published_classes import models, published_confusion, published_shares
from synthetic_rows import GIVEN, OWN_CONSTANTS, compared, own_run, row, rows_of_matrix, scored

from aiida_crucible.analysis.benchmark.summary import aggregate, correlation, distribution
from aiida_crucible.analysis.benchmark.tables import tables


def hand():
    """Return five materials: three whole ones, one that has no phonons, one that failed."""
    return [
        row("A", harmonic=compared(1.0, 5.0), scores=scored(0.2, {GIVEN: 0.3, OWN_CONSTANTS: 0.1}), group="Cl"),
        row("B", harmonic=compared(4.0, 3.0, ("imaginary", "real")), scores=scored(0.8, {GIVEN: 0.4}), group="F",
            state="partial", missing={OWN_CONSTANTS.label: "no force constants"}),
        row("C", harmonic=compared(9.0, 1.0, ("real", "imaginary")),
            scores=scored(0.6, {GIVEN: 1.3, OWN_CONSTANTS: 0.505})),
        row("D", state="partial", missing={"harmonic": "not relaxed"}, harmonic={"outcome": "no-phonons"},
            scores=scored(1.2, {GIVEN: 1.4, OWN_CONSTANTS: None})),
        row("E", state="failed", missing={"harmonic": "not relaxed", GIVEN.label: "exploded"}),
    ]  # fmt: skip


def entry(rows):
    (found,) = aggregate(rows)["entries"]
    return found


def found_correlation(found, first, second, choice=None):
    return next(
        one for one in found["correlations"] if (one["first"], one["second"], one["choice"]) == (first, second, choice)
    )


def test_states_and_reasons_are_counted():
    found = entry(hand())
    assert (found["n_rows"], found["states"]) == (5, {"complete": 2, "partial": 2, "failed": 1})
    reasons = {(one["state"], one["part"], one["reason"]): one["materials"] for one in found["missing"]}
    assert reasons == {
        ("partial", OWN_CONSTANTS.label, "no force constants"): ["B"],
        ("partial", "harmonic", "not relaxed"): ["D"],
        ("failed", "harmonic", "not relaxed"): ["E"],
        ("failed", GIVEN.label, "exploded"): ["E"],
    }


def test_a_choice_that_nothing_is_left_of_is_counted_as_missing():
    """Own runs at 300 K of two materials, and at 900 K, where both melt."""
    runs = {temperature: own_run("own", temperature) for temperature in (300.0, 900.0)}
    lost = {runs[900.0].label: "melted"}
    rows = [row(name, scores=scored(0.3, {runs[300.0]: 0.4}), state="partial", missing=lost) for name in "AB"]
    matrices = entry(rows)["confusion"]["stability"]
    assert {name: matrix["missing"] for name, matrix in matrices.items()} == {
        runs[300.0].label: 0,
        runs[900.0].label: 2,
    }
    assert list(entry(rows[:1])["confusion"]["stability"]) == list(matrices)


def test_warnings_are_in_the_table():
    scores = scored(0.3, {GIVEN: 0.4, OWN_CONSTANTS: None})
    scores[GIVEN.label]["warnings"] = ["the force constants break a rule"]
    harmonic = {**compared(1.0, 2.0), "warnings": ["another space group"]}
    missing = {OWN_CONSTANTS.label: "an atom left its site"}
    found = tables([row(scores=scores, harmonic=harmonic, state="partial", missing=missing)])["materials"]
    (line,) = csv.DictReader(io.StringIO(found.to_csv()))
    assert line["warnings"] == "another space group; the force constants break a rule"


def test_errors_over_all_and_by_group():
    errors = entry(hand())["errors"]
    assert errors["by_order"]["squares"]["all"] == {
        "n": 3, "mean": pytest.approx(14 / 3), "median": 4.0, "lower_quartile": 2.5, "upper_quartile": 6.5,
        "lower_whisker": 1.0, "upper_whisker": 9.0,
    }  # fmt: skip
    assert errors["by_overlap"]["squares"]["all"]["median"] == 2.0
    assert errors["by_order"]["printed"]["all"]["mean"] == pytest.approx(2.0)
    by_group = errors["by_order"]["velocities"]["by_group"]
    assert list(by_group) == ["F", "Cl", "Br"]
    assert {group: (values["n"], values["median"]) for group, values in by_group.items()} == {
        "F": (1, 3.0), "Cl": (1, 5.0), "Br": (1, 1.0),
    }  # fmt: skip


def test_classes_by_both_sides():
    found = entry(hand())["confusion"]["stability"]
    given = found["reference_frames_reference_constants"]
    assert given["counts"] == [[1, 0, 0], [1, 0, 1], [0, 0, 1]]
    assert (given["undecided"], given["missing"]) == (0, 1)
    assert given["shares"]["agreement"] == pytest.approx(2 / 4)
    assert given["shares"]["over_stabilised"] == given["shares"]["under_stabilised"] == pytest.approx(1 / 4)
    own = found["reference_frames_own_constants"]
    # C is 0.505 ± 0.02; D lost an atom and B has no force constants, which is not the same as being undecided.
    assert own["counts"] == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert (own["undecided"], own["missing"]) == (1, 3)


def test_imaginary_modes_by_both_sides():
    harmonic = entry(hand())["confusion"]["harmonic"]
    assert harmonic["classes"] == ["real", "imaginary"]
    assert harmonic["counts"] == [[1, 1], [1, 0]]
    assert harmonic["missing"] == 2
    assert harmonic["shares"]["over_stabilised"] == pytest.approx(1 / 3)


def test_differences_of_sigma():
    found = entry(hand())["sigma_differences"]["reference_frames_reference_constants"]
    assert found["signed"]["all"]["mean"] == pytest.approx((0.1 - 0.4 + 0.7 + 0.2) / 4)
    assert found["absolute"]["all"]["mean"] == pytest.approx((0.1 + 0.4 + 0.7 + 0.2) / 4)
    assert found["absolute"]["by_group"]["Br"]["n"] == 2


def test_correlations():
    """σ is 0.2, 0.8, 0.6 where the squares' errors are 1, 4, 9: ranks 1, 3, 2 against 1, 2, 3."""
    found = entry(hand())
    ranked = found_correlation(found, "squares", "reference_sigma")
    assert (ranked["n"], ranked["spearman"]) == (3, pytest.approx(0.5))
    assert ranked["pearson"] == pytest.approx(np.corrcoef([1, 4, 9], [0.2, 0.8, 0.6])[0, 1])
    assert found_correlation(found, "squares", "velocities")["spearman"] == pytest.approx(-1)
    # What is printed is the root, 1, 2, 3, against 5, 3, 1.
    assert found_correlation(found, "printed", "velocities")["pearson"] == pytest.approx(-1)
    differences = found_correlation(found, "absolute_sigma_difference", "reference_sigma", GIVEN.label)
    assert differences["n"] == 4
    assert differences["pearson"] == pytest.approx(np.corrcoef([0.1, 0.4, 0.7, 0.2], [0.2, 0.8, 0.6, 1.2])[0, 1])
    few = found_correlation(found, "squares", "absolute_sigma_difference", OWN_CONSTANTS.label)
    assert (few["n"], few["spearman"], few["pearson"]) == (2, None, None)
    assert few["reason"] == "2 materials have both numbers, at least 3 are needed"


def test_what_does_not_vary_has_no_correlation():
    found = correlation([1.0, 2.0, 3.0, None], [0.3, 0.1 + 0.2, 0.3, 7.0])
    assert (found["n"], found["pearson"]) == (3, None)
    assert "the same for all" in found["reason"]


@pytest.mark.parametrize(
    "values", [[1.0], [1.0, 2.0], [1, 2, 3, 4, 100], [-50, 1, 2, 3, 4.0], [0, 0, 0, 5], [1, 2, 3, 4, 100, 100.0]]
)
def test_quartiles_and_whiskers_are_those_of_matplotlib(values):
    found, (drawn,) = distribution(values), matplotlib.cbook.boxplot_stats(values)
    for name, key in (("median", "med"), ("mean", "mean"), ("lower_quartile", "q1"), ("upper_quartile", "q3"),
                      ("lower_whisker", "whislo"), ("upper_whisker", "whishi")):  # fmt: skip
        assert found[name] == pytest.approx(drawn[key]), name


def test_a_label_keeps_its_temperature_only_where_there_are_several():
    cold, hot = own_run("own"), own_run("own", 600.0)
    one = entry([row("A", scores=scored(0.2, {cold: 0.6}))])["confusion"]["stability"]
    assert list(one) == ["own_frames_own_constants"]
    assert one["own_frames_own_constants"]["temperature"] == 300.0
    two = entry([row("A", scores=scored(0.2, {hot: 0.2, cold: 0.6})), row("B", scores=scored(0.2, {cold: 0.3}))])
    two = two["confusion"]["stability"]
    assert list(two) == ["own_frames_own_constants_T300", "own_frames_own_constants_T600"]
    assert two["own_frames_own_constants_T300"]["counts"][0] == [1, 1, 0]
    assert (two["own_frames_own_constants_T600"]["counts"][0], two["own_frames_own_constants_T600"]["missing"]) == (
        [1, 0, 0], 1,
    )  # fmt: skip


def test_a_score_without_a_reference_counts_as_missing():
    found = entry([row("A", scores=scored(None, {GIVEN: 0.3}))])
    matrix = found["confusion"]["stability"][GIVEN.label]
    assert (np.sum(matrix["counts"]), matrix["missing"], matrix["shares"]["agreement"]) == (0, 1, None)


@pytest.mark.parametrize("model", models("model"))
def test_published_matrices_come_out_of_rows(model):
    """One entry a model, of both choices of force constants: the published classes give the published counts."""
    given, own = published_confusion(model, "reference"), published_confusion(model, "model")
    rows = rows_of_matrix(own.counts, OWN_CONSTANTS, model=model)
    found = entry(rows)["confusion"]["stability"][OWN_CONSTANTS.label]
    assert found["counts"] == own.counts.tolist()
    assert found["shares"] == own.shares()
    found = entry(rows_of_matrix(given.counts, GIVEN))["confusion"]["stability"][GIVEN.label]
    assert found["counts"] == given.counts.tolist()
    if model == "omat-0-medium":
        shares, published = entry(rows)["confusion"]["stability"][OWN_CONSTANTS.label]["shares"], published_shares()
        assert round(shares["over_stabilised_of_low_stability"], 2) == published["too_stable"] == 0.38
        assert round(shares["under_stabilised_of_mistakes"], 2) == published["too_unstable"] == 0.06


def read(table):
    return list(csv.DictReader(io.StringIO(table.to_csv())))


def test_materials_are_lines_with_all_digits():
    third = 1 / 3
    rows = [*hand(), row("F, G", harmonic=compared(third, 0.1), model="mace", scores=scored(None, {GIVEN: 0.3}))]
    found = tables(rows)
    lines = {line["material"]: line for line in read(found["materials"])}
    assert set(lines) == {"A", "B", "C", "D", "E", "F, G"}
    assert float(lines["F, G"]["squares_by_order [THz²]"]) == third
    assert lines["D"]["squares_by_order [THz²]"] == lines["D"][f"sigma_{OWN_CONSTANTS.label}"] == ""
    assert lines["E"]["reason"] == f"harmonic: not relaxed; {GIVEN.label}: exploded"
    assert (lines["B"]["imaginary_reference"], lines["B"]["imaginary_model"]) == ("imaginary", "real")
    assert float(lines["A"]["heat_capacity_error_T300 [eV/K]"]) == 0.001
    assert lines["C"][f"class_{OWN_CONSTANTS.label}"] == "cannot-tell"


def test_tables_say_what_the_summary_says():
    found = {name: read(table) for name, table in tables(hand()).items()}
    cell = next(
        line for line in found["confusion"]
        if (line["choice"], line["class_by_reference"], line["class_by_model"]) == (GIVEN.label, "strong", "unstable")
    )  # fmt: skip
    assert (cell["n"], cell["share_of_row"], cell["missing"], cell["agreement"]) == ("1", "0.5", "1", "0.5")
    assert len(found["confusion"]) == 2 * 16 + 9
    error = next(line for line in found["errors"] if (line["quantity"], line["of"], line["group"])
                 == ("velocities", "by_overlap", "all groups"))  # fmt: skip
    assert (error["unit"], error["n"], error["median"]) == ("Å THz", "3", "1.5")
    assert {line["n"] for line in found["correlations"] if line["reason"]} == {"2"}


def test_order_of_rows_does_not_matter_and_values_are_plain():
    rows = [*hand(), *(row(name, model="mace", scores=scored(0.2, {GIVEN: 0.3})) for name in "BA")]
    summary = aggregate(rows)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary == aggregate(rows[::-1])
    assert tables(rows)["materials"] == tables(rows[::-1])["materials"]
    assert [one["model"] for one in summary["entries"]] == ["chgnet", "mace"]


def test_no_rows():
    assert aggregate([]) == {"n_rows": 0, "entries": []}
    found = tables([])
    assert list(found) == ["materials", "errors", "confusion", "correlations"]
    assert not any(table.rows for table in found.values())


def broken_errors(value):
    harmonic = compared(1.0, 1.0)
    harmonic["errors"]["by_order"]["squares"] = value
    return harmonic


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"material": ""}, "row 0 (of no material): material is ''"),
        ({"model": None}, "row of 'A': model is None, it must be a name"),
        ({"state": "done"}, "row of 'A': state is 'done', it must be one of complete, partial, failed"),
        ({"missing": {"harmonic": "why"}}, "row of 'A': state is complete, but missing names 1 parts"),
        ({"state": "failed"}, "row of 'A': state is failed, but missing names 0 parts"),
        ({"scores": [1]}, "row of 'A': scores is [1], it must be a mapping"),
        ({"scores": {"reference": {"sigma": 1.0}}}, "row of 'A': its harmonic part or its scores lack something"),
        ({"scores": {"other": scored(0.2, {})["reference"]}}, "row of 'A': the score 'other' is of 'reference'"),
        ({"harmonic": {"outcome": "compared"}}, "row of 'A': its harmonic part or its scores lack something: 'errors'"),
        ({"harmonic": broken_errors(float("nan"))}, "harmonic.errors.by_order.squares is nan"),
        ({"harmonic": broken_errors("1.0")}, "harmonic.errors.by_order.squares is '1.0'"),
        ({"harmonic": compared(1.0, 1.0, ("real", "complex"))}, "harmonic.imaginary.model is 'complex'"),
    ],
)
def test_a_row_that_is_none_is_one_line(changes, message):
    with pytest.raises(ValueError) as caught:
        aggregate([row("A", **{key: value for key, value in changes.items() if key != "material"})
                   | ({"material": ""} if "material" in changes else {})])  # fmt: skip
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_row_that_is_there_twice_is_refused():
    with pytest.raises(ValueError, match=r"^row of 'A': it is there twice with model 'chgnet'"):
        aggregate([row("A"), row("A")])

"""Rows of a benchmark: what they lack, and why."""

from __future__ import annotations

import pytest
from synthetic_rows import GIVEN, TRUTH

from aiida_crucible.analysis.anharmonicity.combinations import OWN, REFERENCE, Combination
from aiida_crucible.analysis.benchmark.rows import IDENTITY, row_of
from aiida_crucible.analysis.benchmark.settings import validate_benchmark_settings

MEASURED = {"sigma": {"time_averaged": {"value": 0.3, "standard_error": 0.01}}, "class": "weak", "warnings": []}
NOT_FINITE = {"class": "cannot-tell", "reason": "no frame has forces that are finite numbers"}


def made(settings, given, scores):
    identity = {**dict.fromkeys(IDENTITY, "x"), "failures": {}, "runs": {}}
    values = {one.label: {**one.as_dict(), **said} for one, said in scores.items()}
    complete = validate_benchmark_settings(settings)
    return row_of(identity, complete, given, phonons=None, harmonic=None, scores=values)


def test_a_reference_without_a_score_is_missing():
    settings, given = {"phonon": None, "dynamics": None}, ["force_constants", "trajectory"]
    assert made(settings, given, {TRUTH: MEASURED, GIVEN: MEASURED})["state"] == "complete"
    row = made(settings, given, {TRUTH: NOT_FINITE, GIVEN: MEASURED})
    assert (row["state"], row["missing"]) == ("partial", {"reference": NOT_FINITE["reason"]})


def test_a_row_that_nothing_can_be_measured_of_is_not_complete():
    row = made({"phonon": None, "dynamics": None}, ["trajectory"], {})
    assert row["state"] == "failed"
    assert row["missing"] == {
        "all": "there is nothing to measure: neither the model nor the reference has force constants"
    }


@pytest.mark.parametrize(
    "one",
    [
        Combination(REFERENCE, REFERENCE, REFERENCE),
        Combination(OWN, REFERENCE, OWN),
        Combination(OWN, OWN, REFERENCE, 312.5),
        Combination(OWN, OWN, OWN),
    ],
)
def test_labels_tell_their_combination(one):
    assert Combination.of_label(one.label) == one


@pytest.mark.parametrize("label", ["harmonic", "phonons", "all", "own_frames", "x_frames_own_constants"])
def test_other_parts_are_no_combination(label):
    assert Combination.of_label(label) is None

"""What the runs of a sweep say together: every question has its answer, and the reasons name the temperatures."""

from __future__ import annotations

from dataclasses import replace

import golden_sweep
import numpy as np
import pytest

from aiida_crucible.analysis.temperature_sweep import (
    FAILED,
    NOT_RUN,
    TemperatureRecord,
    answer_questions,
    curves,
    find_transitions,
    sweep_runs,
)

POLAR = "P4mm (99)"


@pytest.fixture
def records():
    return golden_sweep.records()


def answered(records, space_group=POLAR):
    return answer_questions(records, find_transitions(records, "independent"), space_group)


def crystals(records):
    return [record for record in records if record.outcome == "stable"]


def test_a_planted_transition_and_melting_are_told(records):
    found = answered(records)
    assert {name: entry["answer"] for name, entry in found.items()} == {
        "runs": "yes",
        "stability": "no",
        "symmetry": "no",
        "transitions": "yes",
        "averages": "no",
    }
    assert found["stability"]["reason"].startswith("a crystal up to 1050 K; at 1100 K melted")
    assert found["symmetry"]["reason"] == "P4mm (99) was given, Pm-3m (221) is found at T650"
    (first, melting) = found["transitions"]["evidence"]["transitions"]
    assert first["interval"][0] < 650 < first["interval"][1] + 20
    assert (melting["kind"], melting["interval"]) == ("melting", [1050.0, 1100.0])
    assert "T300" in found["averages"]["reason"]


def test_a_crystal_that_survives_and_keeps_its_symmetry(records):
    below = [record for record in records if record.temperature < 550]
    found = answered(below)
    assert (found["stability"]["answer"], found["symmetry"]["answer"]) == ("yes", "yes")
    assert "from 200 to 500 K" in found["stability"]["reason"]
    assert answered(below, None)["symmetry"]["answer"] == "cannot-tell"


def test_failed_and_missing_temperatures_are_named_and_leave_stability_open(records):
    kept = crystals(records)
    gone = TemperatureRecord("T1300", 1300.0, FAILED, "out of disk", None, {})
    never = TemperatureRecord("T1400", 1400.0, NOT_RUN, "T1300, where it was to begin, failed", None, {})
    found = answered([*kept, never, gone])
    assert found["runs"]["answer"] == "no"
    assert found["runs"]["reason"] == "T1300 failed: out of disk (and 1 more)"
    assert found["stability"]["answer"] == "cannot-tell"
    assert set(found["runs"]["evidence"]["missing"]) == {"T1300", "T1400"}


def test_nothing_that_ran_is_no_answer():
    found = answered([TemperatureRecord("T300", 300.0, FAILED, "no licence", None, {})])
    assert {found[name]["answer"] for name in ("stability", "symmetry", "transitions", "averages")} == {"cannot-tell"}


def test_wandering_atoms_are_a_crystal_with_a_remark(records):
    kept = crystals(records)
    kept[-1] = replace(kept[-1], outcome="diffusive", reason="O left its sites")
    found = answered(kept)["stability"]
    assert found["answer"] == "yes"
    assert "atoms wander from 1050 K: O left its sites" in found["reason"]


def test_an_unclear_space_group_leaves_the_symmetry_open(records):
    kept = crystals(records)[:5]
    values = {**kept[2].values, "mean_structure": {"space_group": "P1 (1)", "robust": False}}
    kept[2] = replace(kept[2], values=values)
    found = answered(kept)["symmetry"]
    assert found["answer"] == "cannot-tell"
    assert "at T300 it depends on the tolerance" in found["reason"]


def test_curves_are_ascending_and_have_holes_where_nothing_was_averaged(records):
    arrays = curves(records[::-1])
    assert np.all(np.diff(arrays["temperatures"]) > 0)
    assert np.isnan(arrays["volume"][-2:]).all()
    assert np.isfinite(arrays["volume"][:-2]).all()
    assert arrays["volume_error"][0] == 0.002
    assert arrays["volume_deviation"][0] == 0.02


def test_observables_that_cannot_move_are_no_evidence(records):
    fixed = {"mean": 60.0, "standard_error": 0.0, "standard_deviation": 0.0, "warning": ""}
    frozen = [
        replace(record, values={**record.values, "averages": {**record.values["averages"], "volume": fixed}})
        for record in crystals(records)
    ]
    runs = sweep_runs(frozen, "heating")
    assert set(runs[0].observables) == {"order_parameter", "c_over_a"}
    assert {run.direction for run in runs} == {"heating"}
    assert (runs[0].space_group, runs[0].robust) == (99, True)

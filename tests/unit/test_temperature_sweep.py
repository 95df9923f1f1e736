"""What the runs of a sweep say together: every question has its answer, and the reasons name the temperatures."""

from __future__ import annotations

from dataclasses import replace

import golden_sweep
import numpy as np
import pytest

from aiida_crucible.analysis.dynamics.temperature_record import FAILED, NOT_RUN, TemperatureRecord
from aiida_crucible.analysis.dynamics.temperature_sweep import answer_questions, curves, find_transitions
from aiida_crucible.analysis.transitions.sweep_observables import sweep_runs

POLAR = "P4mm (99)"


@pytest.fixture
def records():
    return golden_sweep.records()


def answered(records, space_group=POLAR, stability_time=10.0):
    return answer_questions(records, find_transitions(records), space_group, stability_time)


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
    assert found["stability"]["reason"] == "it does from 200 to 500 K, for 10 ps"
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
    assert {found[name]["answer"] for name in ("stability", "symmetry", "averages")} == {"cannot-tell"}
    assert found["transitions"]["answer"] == "not-asked"


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
    fixed = {"mean": 60.0, "standard_error": 0.0, "standard_deviation": 0.0, "n_effective": 1.0, "warning": ""}
    frozen = [
        replace(record, values={**record.values, "averages": {**record.values["averages"], "volume": fixed}})
        for record in crystals(records)
    ]
    runs = sweep_runs(frozen)
    assert set(runs[0].observables) == {"order_parameter", "c_over_a"}
    assert (runs[0].space_group, runs[0].robust) == (99, True)


def test_how_long_is_part_of_the_answer(records):
    """A crystal that survived for less than was asked is no stable one, one that was lost is lost."""
    below = [record for record in records if record.temperature < 550]
    stability = answered(below, stability_time=50.0)["stability"]
    assert stability["answer"] == "cannot-tell"
    assert stability["reason"] == (
        "a crystal from 200 to 500 K, but for 10 ps only: 50 ps are asked, 50000 steps at each temperature"
    )
    assert answered(records, stability_time=50.0)["stability"]["answer"] == "no"
    unknown = [
        replace(record, values={name: item for name, item in record.values.items() if name != "steps"})
        for record in below
    ]
    assert answered(unknown)["stability"]["answer"] == "cannot-tell"


def test_a_mean_lattice_that_is_not_believed_leaves_the_symmetry_open(records):
    kept = crystals(records)[:7]
    averages = dict(kept[1].values["averages"])
    averages["c_over_a"] = {**averages["c_over_a"], "n_effective": 3.0, "warning": "too short"}
    kept[1] = replace(kept[1], values={**kept[1].values, "averages": averages})
    found = answered(kept)["symmetry"]
    assert (found["answer"], "too short for a mean lattice" in found["reason"]) == ("cannot-tell", True)


def test_what_so_few_temperatures_cannot_answer_is_not_asked(records):
    found = answered(records[:4])["transitions"]
    assert (found["answer"], found["reason"]) == ("not-asked", "of 4 temperatures it cannot be asked, 5 are needed")
    # What was seen is told, of however few.
    assert answered(records[-4:])["transitions"]["answer"] == "yes"


def broken(record, **values):
    """The record of a run that exploded."""
    reason = "the temperature ran away to 99999 K"
    return replace(record, outcome="exploded", reason=reason, values={**record.values, "averages": {}, **values})


@pytest.mark.parametrize(
    ("values", "cause"),
    [
        ({"time_step": 60.0}, "a time step of 60 fs is long for an atom of mass 16"),
        ({"conserved_drift": 5.0, "step": 100}, "the conserved energy drifted by 0.5 eV an atom in 100 fs"),
        ({"start": {"largest_force": 3.0, "pressure": 12.0}}, "forces of up to 3 eV/Å and a pressure of 12 GPa"),
        ({"n_atoms": 5}, "5 atoms are few"),
        ({}, "look at the model's forces"),
    ],
)
def test_a_failure_is_a_failure_with_its_likely_cause(records, values, cause):
    below = [record for record in records if record.temperature < 550]
    sweep = [*below[:-1], broken(below[-1], **values)]
    found = answered(sweep)
    assert found["stability"]["answer"] == "no"
    assert "at 500 K exploded: the temperature ran away to 99999 K (likely cause: " in found["stability"]["reason"]
    assert cause in found["stability"]["reason"]
    assert (found["transitions"]["answer"], found["transitions"]["evidence"]["transitions"]) == ("cannot-tell", [])
    assert "runs failed, which is no transition: 500 K (exploded" in found["transitions"]["reason"]


def test_a_melt_under_too_long_a_time_step_is_no_melting(records):
    hot = [
        replace(record, values={**record.values, "time_step": 60.0}) if record.outcome == "melted" else record
        for record in records
    ]
    kinds = {item["kind"] for item in answered(hot)["transitions"]["evidence"]["transitions"]}
    assert "melting" not in kinds


@pytest.mark.parametrize(("n_atoms", "n_molten", "is_told"), [(40, 1, False), (40, 2, True), (108, 1, True)])
def test_one_small_cell_that_loses_its_order_is_no_melting(records, n_atoms, n_molten, is_told):
    crystal = [record for record in records if record.outcome != "melted"]
    molten = [record for record in records if record.outcome == "melted"][:n_molten]
    small = [replace(record, values={**record.values, "n_atoms": n_atoms}) for record in [*crystal, *molten]]
    assert len(molten) == n_molten
    found = answered(small)
    kinds = {item["kind"] for item in found["transitions"]["evidence"]["transitions"]}
    assert ("melting" in kinds) == is_told
    assert found["stability"]["answer"] == "no"


@pytest.mark.parametrize(("n_molten", "answer", "kinds"), [(1, "cannot-tell", []), (2, "yes", ["melting"])])
def test_a_small_cell_that_melts_alone_cannot_tell(records, n_molten, answer, kinds):
    below = [record for record in records if record.temperature < 550]
    molten = [record for record in records if record.outcome == "melted"][:n_molten]
    sweep = [replace(record, values={**record.values, "n_atoms": 40}) for record in [*below, *molten]]
    found = answered(sweep)["transitions"]
    assert (found["answer"], [item["kind"] for item in found["evidence"]["transitions"]]) == (answer, kinds)
    why = "1100 K (melted: alone, in a cell of 40 atoms; a hotter run too, or at least 100 atoms would tell)"
    assert (why in found["reason"]) == (n_molten == 1)

"""What a temperature sweep answers in an assessment: stability, and a transition against its reference."""

from __future__ import annotations

import golden_sweep
import pytest

from aiida_crucible.analysis.verdict.reliability import (
    assess,
    check_reference,
    finite_temperature,
    transition,
    validate_thresholds,
)


def summary_of(*transitions, status="found", kept=(300.0, 1000.0), lost=(), failed=()):
    doubts = ["too few"] if status in ("cannot-tell", "not-asked") else []
    report = {"status": status, "verdict": "the verdict", "transitions": list(transitions), "doubts": doubts}
    evidence = {
        "crystal_temperatures": list(kept),
        "lost_temperatures": list(lost),
        "failed_temperatures": list(failed),
    }
    stability = {"answer": "no" if lost else "yes", "reason": "the reason", "evidence": evidence}
    told = {"question": "Were they?", "answer": "no", "reason": "all 8 were short", "evidence": {}}
    sought = {"answer": status, "reason": "of 3 it cannot be asked", "evidence": report}
    return {"stability": stability, "transitions": sought, "runs": told, "averages": told}


def found(temperature, low, high, kind="continuous"):
    return {"kind": kind, "temperature": temperature, "interval": [low, high]}


@pytest.mark.parametrize(
    ("sweep", "answer"),
    [
        (summary_of(found(750, 720, 780)), "yes"),
        (summary_of(found(600, 580, 620)), "no"),
        (summary_of(found(680, 620, 740)), "cannot-tell"),
        (summary_of(found(900, 850, None)), "no"),
        (summary_of(found(780, 740, None)), "cannot-tell"),
        (summary_of(found(750, 720, 780), found(400, 380, 420)), "yes"),
        (summary_of(found(750, 700, 800, kind="melting"), lost=(750.0,)), "no"),
        (summary_of(status="no-transition"), "no"),
        (summary_of(status="no-transition", kept=(300.0, 500.0)), "cannot-tell"),
        (summary_of(status="cannot-tell"), "cannot-tell"),
        (summary_of(status="cannot-tell", kept=(300.0,), lost=(600.0,)), "no"),
        (summary_of(status="cannot-tell", kept=(300.0,), failed=(600.0,)), "cannot-tell"),
        (summary_of(status="not-asked"), "cannot-tell"),
    ],
)
def test_a_transition_agrees_where_its_whole_interval_does(sweep, answer):
    assert transition(sweep, {"transition_temperature": 760.0}, 0.1).answer == answer


def test_the_reason_has_both_numbers():
    reason = transition(summary_of(found(600, 580, 620)), {"transition_temperature": 760.0}, 0.1).reason
    assert reason == "continuous at 600 K (580 to 620 K) against 760 K (-21 %)"


@pytest.mark.parametrize(
    ("sweep", "answer"),
    [
        (summary_of(found(600, 580, 620)), "yes"),
        (summary_of(found(900, 850, 950, kind="melting")), "no"),
        (summary_of(status="no-transition"), "no"),
        (summary_of(status="cannot-tell"), "cannot-tell"),
        (summary_of(status="not-asked"), "not-asked"),
    ],
)
def test_without_a_reference_it_is_told_whether_there_is_one(sweep, answer):
    assert transition(sweep, {}, 0.1).answer == answer


def test_stability_is_the_sweeps_own_answer():
    assert finite_temperature(summary_of(lost=(800.0,))).answer == "no"
    assert finite_temperature(summary_of()).reason == "the reason"


def test_an_assessment_has_the_questions_only_where_there_was_a_sweep():
    relaxed = {"outcome": "runaway", "structures": {"structure": {"outcome": "runaway", "lattice": None}}}
    verified = {"outcome": "passed", "summary": {"faults": []}}
    sweep = golden_sweep.said_of_sweep()["answers"]
    reference = {"transition_temperature": 650.0}
    arguments = (verified, relaxed, None, reference, validate_thresholds({}))
    assert set(assess(*arguments)) == {"verification", "lattice", "energies", "stability"}
    answers = assess(*arguments, sweep=sweep)
    assert answers["finite_temperature"]["answer"] == "no"
    assert answers["transitions"]["answer"] == "yes"
    # Whether the runs were long enough stays the sweep's own question and answer.
    assert answers["averages"] == sweep["averages"]
    assert answers["averages"]["answer"] == "no"


def test_a_transition_temperature_is_a_temperature():
    check_reference({"transition_temperature": 760}, set())
    with pytest.raises(ValueError, match="give a number of K"):
        check_reference({"transition_temperature": "760 K"}, set())
    with pytest.raises(ValueError, match="more than 0"):
        check_reference({"transition_temperature": -1.0}, set())

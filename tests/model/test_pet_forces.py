"""A tiny PET with both kinds of forces: direct ones heat a run, multiple time stepping does not."""

import json
from pathlib import Path

import numpy as np
import pytest

from aiida_crucible.analysis.model_tests.conservation import judge_conservation
from aiida_crucible.analysis.verdict.answers import NO, YES

HELPER = Path(__file__).parents[1] / "helpers" / "pet_two_heads.py"
LIMIT = 1e-3
"""eV/(atom ps): ten times what a test of a model takes, since the runs are short and the network is rough."""

pytestmark = [pytest.mark.model, pytest.mark.long]


@pytest.fixture(scope="module")
def outcome(run_in, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pet-two-heads")
    report = folder / "report.json"
    finished = run_in("pet", HELPER, folder, report, cwd=folder, timeout=1200)
    assert finished.returncode == 0, finished.stderr
    return json.loads(report.read_text())


def test_direct_forces_are_those_of_the_package(outcome):
    assert outcome["difference from the package"] < 1e-10 and outcome["difference of the energies"] < 1e-10
    assert outcome["kinds apart"] > 1e-3 and outcome["back again"] == 0
    assert outcome["kinds"] == [True, False, True] and outcome["gives stress"] == [True, True]
    assert outcome["no stress"] is False


def test_weights_without_direct_forces_say_so_in_one_line(outcome):
    condition, message = outcome["no heads"]
    assert condition == "CAPABILITY_MISSING" and "no direct forces" in message and "\n" not in message


@pytest.mark.parametrize(("kind", "answer"), [("conservative", YES), ("direct", NO), ("both", YES)])
def test_multiple_time_stepping_keeps_energy_where_direct_forces_do_not(outcome, kind, answer, record_property):
    run = outcome[kind]
    assert run["condition"] == "finished", run["message"]
    assert run["forces"] == kind
    times, energies = np.array(run["times"]) / 1000, np.array(run["energies"])
    found = judge_conservation(run["outcome"], times, energies, run["n_atoms"], LIMIT)
    record_property(f"{kind} forces", found.reason)
    record_property(f"milliseconds a step, {kind} forces", run["milliseconds"])
    assert found.answer == answer, found.reason

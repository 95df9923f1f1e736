"""Graphs that DeePMD-kit's adapter must refuse in one line, and structures that its package takes with care only."""

import json
from pathlib import Path

import pytest

HELPERS = Path(__file__).parents[1] / "helpers"
MAKE = (
    "import sys; from conformance_cases import CASES, make_checkpoint; make_checkpoint(CASES[sys.argv[1]], sys.argv[2])"
)

pytestmark = [pytest.mark.model, pytest.mark.slow]


@pytest.fixture(scope="module")
def outcome(run_in, tmp_path_factory):
    folder = tmp_path_factory.mktemp("deepmd")
    script = folder / "make.py"
    script.write_text(MAKE, encoding="utf-8")
    made = run_in("deepmd", script, "deepmd-se_e2_a", folder, cwd=folder)
    assert made.returncode == 0, made.stderr
    report = folder / "report.json"
    graph = folder / "deepmd-se_e2_a.checkpoint"
    finished = run_in("deepmd", HELPERS / "deepmd_graphs.py", graph, folder, report, cwd=folder)
    assert finished.returncode == 0, finished.stderr
    return json.loads(report.read_text())


@pytest.mark.parametrize(
    ("what", "condition", "words"),
    [
        ("writes a file", "CHECKPOINT_UNTRUSTED", ["WriteFile", "trust_pickle"]),
        ("hides an operation", "CHECKPOINT_UNTRUSTED", ["WriteFile", "trust_pickle"]),
        ("types that are no elements", "CHECKPOINT_UNREADABLE", ["Ni_1", "type_map"]),
        ("single precision", "CHECKPOINT_UNREADABLE", ["float64"]),
        ("no energy", "CHECKPOINT_UNREADABLE", ["potential"]),
        ("another program's", "CHECKPOINT_OF_ANOTHER_FAMILY", ["none of deepmd"]),
        ("torch's", "CHECKPOINT_OF_ANOTHER_FAMILY", ["convert-backend", "torch 2.11"]),
        ("by name", "CHECKPOINT_MISSING", ["UniPero", "sliutheorygroup"]),
        ("gold", "UNSUPPORTED_ELEMENT", ["Au"]),
        *((f"truncated to {part}/8", "CHECKPOINT_UNREADABLE", ["fetch or copy"]) for part in range(1, 8)),
    ],
)
def test_what_is_refused_is_refused_in_one_line(outcome, what, condition, words):
    found, message = outcome[what]
    assert found == condition and all(word in message for word in words), message
    assert "\n" not in message and len(message) < 400


def test_an_operation_that_writes_runs_only_where_it_is_trusted(outcome):
    assert not outcome["written by the refused"] and outcome["written by the trusted"]


def test_left_handed_cells_and_slabs_are_treated_right(outcome):
    assert outcome["left-handed"] < 1e-9 and outcome["slab"] < 1e-9

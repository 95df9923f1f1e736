"""One conformance suite over every adapter, each with its real package in an environment of its own.

The checks themselves are in ``tests/helpers/conformance_checks.py`` and run there, all of a model's in one process.
"""

import json
from pathlib import Path

import pytest
from conformance_cases import CASES, HEAVY
from conformance_checks import CHECKS

from crucible_engine.families.conformance import WEIGHTS_FOLDER, published_weights

SCRIPT = Path(__file__).parents[1] / "helpers" / "conformance_checks.py"

pytestmark = pytest.mark.model


def _is_long(case):
    return case.like or case.family in HEAVY


MODELS = [pytest.param(name, marks=pytest.mark.long if _is_long(case) else ()) for name, case in CASES.items()]


@pytest.fixture(scope="module", params=MODELS)
def outcome(request, run_in, tmp_path_factory):
    """What each check said of one model: ``None`` if it passed, a traceback if not."""
    case = CASES[request.param]
    if case.published and not published_weights(case.published).exists():
        pytest.skip(f"{case.published} is not at hand: {WEIGHTS_FOLDER} names the folder of published weights")
    folder = tmp_path_factory.mktemp(case.name)
    report = folder / "report.json"
    finished = run_in(case.family, SCRIPT, case.name, folder, report, cwd=folder)
    assert finished.returncode == 0, finished.stderr
    return {**json.loads(report.read_text()), "prints_nothing": finished.stdout or None}


@pytest.mark.parametrize("check", [*CHECKS, "prints_nothing"])
def test_conformance(outcome, check):
    assert outcome[check] is None, outcome[check]

"""The demonstration from end to end: real models, the published numbers to the printed digit, and quick again."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aiida_crucible.demo.pbtio3 import TEMPERATURES

# Minutes on two cores that have nothing else to do.
pytestmark = [pytest.mark.model, pytest.mark.slow, pytest.mark.timeout(2400)]

EXPECTED = {
    "CHGNet 0.3.0": {"a": "3.80", "c": "5.01", "c_over_a": "1.32", "delta_e": "0.24"},
    "SevenNet 7net-l3i5": {"a": "3.84", "c": "4.79", "c_over_a": "1.25", "delta_e": "0.21"},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def demo(home):
    """Return a function that runs the demonstration as a newcomer would, and returns what it says."""
    from aiida_crucible.environments.local import default_root

    environment = {name: value for name, value in os.environ.items() if name != "AIIDA_PATH"}
    # The environments need not be made once more for another home.
    environment |= {"HOME": str(home), "CRUCIBLE_ENVIRONMENTS": str(default_root())}

    def run():
        command = [str(Path(sys.executable).parent / "aiida-crucible"), "demo", "--folder", "demo"]
        finished = subprocess.run(
            command, cwd=home, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    return run


@pytest.fixture(scope="module")
def first(demo):
    return demo()


def test_the_published_numbers_come_out(first, home):
    with (home / "demo" / "results" / "table.csv").open(encoding="utf-8") as stream:
        rows = {row["subject"]: row for row in csv.DictReader(stream) if row["origin"] == "computed"}
    printed = {model: {key: f"{float(rows[model][key]):.2f}" for key in numbers} for model, numbers in EXPECTED.items()}
    assert printed == EXPECTED


def test_it_says_what_a_newcomer_wants_to_know(first, home):
    output = first
    for text in (
        "PBEsol",
        "every check passed",
        "every mode is real",
        "report.html",
        "process status",
        str(home / "demo"),
    ):
        assert text in output
    figures = home / "demo" / "results" / "report-figures"
    for name in ("phonon-bands.png", "temperature-sweep.png", "lattice-parameters.png"):
        assert (figures / name).stat().st_size > 10_000


def test_the_users_own_aiida_is_not_touched(first, home):
    assert not (home / ".aiida").exists()


def test_again_nothing_is_computed(first, demo):
    output = demo()
    steps = output.split("Runs")[1].split("Tetragonal")[0].strip().splitlines()
    assert len(steps) == 2 * len(("relax", "evaluate")) + len(TEMPERATURES)
    assert all(step.endswith("found in the cache") for step in steps)

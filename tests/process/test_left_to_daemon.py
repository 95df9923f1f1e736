"""Ctrl-C in a run at a terminal: it goes on, ends with its jobs, or the daemon takes it on to the same numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from terminal_run import TerminalRun

BIN = Path(sys.executable).parent
OVERRIDES = (
    "{phonon: {parameters: {supercell_matrix: [2, 2, 2], mesh: [4, 4, 4], dos_mesh: [4, 4, 4], band_points: 5}}, "
    "sweep: {parameters: {supercell_matrix: [3, 3, 3], temperatures_per_job: 1, max_concurrent: 1}}}"
)
RUN = [
    "run",
    "Cu:fcc",
    "-m",
    "emt",
    "--code",
    "python@localhost",
    "--protocol",
    "fast",
    "-T",
    "300,400",
    "--steps",
    "300",
]
MOMENTS = {
    "verification": r"verify +(running|uploading|withscheduler)",
    "relaxation": r"relax +(running|uploading|withscheduler)",
    "phonons": r"evaluate +(running|uploading|withscheduler)",
    "first run": r"dynamics 300 K +(running|withscheduler)",
    "last run": r"dynamics 400 K +(running|withscheduler)",
}
PREPARE = """
from aiida import load_profile
load_profile()
from aiida.orm import InstalledCode, load_computer
import sys
load_computer("localhost").set_minimum_job_poll_interval(0.5)
InstalledCode(label="python", computer=load_computer("localhost"), filepath_executable=sys.executable).store()
"""
TELL = """
import json, sys, time
from aiida import load_profile
load_profile()
from aiida.orm import CalcJobNode, load_node
node = load_node(int(sys.argv[1]))
while not node.is_terminated:
    time.sleep(1)
jobs = [each.process_label for each in node.called_descendants if isinstance(each, CalcJobNode)]
jobs = [label for label in jobs if label != "VerifyCalculation"]  # found again from the second run on
left = [each.pk for each in node.called_descendants if not each.is_terminated]
curves = node.outputs.sweep.curves.get_array("a").tolist() if node.is_finished_ok else None
states = sorted({each.process_state.value for each in (node, *node.called_descendants)})
print(json.dumps({"jobs": sorted(jobs), "left": left, "a": curves, "states": states, "said": node.exit_message}))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return the variables of a profile of its own with a broker, whose daemon runs."""
    folder = tmp_path_factory.mktemp("place")
    environment = {**os.environ, "AIIDA_PATH": str(folder), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}

    def call(*words):
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    call(BIN / "verdi", "presto", "--non-interactive")
    call(sys.executable, "-c", PREPARE)
    call(BIN / "verdi", "daemon", "start", "--timeout", "120")
    yield environment, call
    call(BIN / "verdi", "daemon", "stop", "--timeout", "120")


@pytest.fixture(scope="module")
def uninterrupted(place):
    """Return what a run finds that nobody interrupts."""
    environment, call = place
    done = subprocess.run(
        [
            BIN / "aiida-crucible",
            *RUN,
            "--overrides",
            OVERRIDES,
            "--no-estimate",
            "--code",
            "python@localhost",
            "--json",
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    (found,) = json.loads(done.stdout).values()
    return json.loads(call(sys.executable, "-c", TELL, str(found["pk"])))


def start(environment):
    command = [str(BIN / "aiida-crucible"), *RUN, "--overrides", OVERRIDES, "--no-estimate"]
    return TerminalRun(command, environment)


def engines(environment):
    """Return the engines that compute in the folders of a place."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(environment["AIIDA_PATH"]) and "crucible_engine" in " ".join(process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment", [pytest.param(name, marks=() if name == "relaxation" else pytest.mark.long) for name in MOMENTS]
)
def test_the_daemon_goes_on_to_the_same_numbers(place, request, moment):
    environment, call = place
    # A verification is found again by what runs later: this one has to be the first that runs here.
    uninterrupted = None if moment == "verification" else request.getfixturevalue("uninterrupted")
    run = start(environment)
    run.wait_for(MOMENTS[moment])
    run.type("\x03")
    run.wait_for(r"\[g/d/k\]")
    run.type("d\n")
    run.wait_for("the daemon goes on with PK ")
    assert run.end() == 0, run.said
    pk = run.said.rpartition("goes on with PK ")[2].partition(":")[0]
    found = json.loads(call(sys.executable, "-c", TELL, pk))
    assert found == (uninterrupted or request.getfixturevalue("uninterrupted"))
    assert engines(environment) == []


@pytest.mark.slow
def test_going_on_changes_nothing_and_killing_leaves_nothing(place, uninterrupted):
    environment, call = place
    run = start(environment)
    run.wait_for(MOMENTS["relaxation"])
    run.type("\x03")
    run.wait_for(r"\[g/d/k\]")
    run.type("what?\n")
    run.wait_for(r"\[g/d/k\]")
    run.type("g\n")
    run.wait_for(MOMENTS["first run"])
    run.type("\x03")
    run.wait_for(r"\[g/d/k\]")
    run.type("k\n")
    assert run.end() != 0
    assert "all has ended, see `verdi process status" in run.said, run.said[-3000:]
    pk = run.said.rpartition("verdi process status ")[2].partition("`")[0]
    found = json.loads(call(sys.executable, "-c", TELL, pk))
    assert found["left"] == []
    assert engines(environment) == []

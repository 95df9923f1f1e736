"""A run in the foreground that is interrupted leaves no engine behind, and no process that nobody steps."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

SCRIPT = Path(__file__).parents[1] / "helpers" / "foreground_run.py"


def engines(folder):
    """Return the processes that compute in the work directories of a profile."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != "zombie" and process.cwd().startswith(str(folder / "scratch")):
                found.append(process)
        except psutil.Error:
            continue
    return found


def is_engine(process):
    try:
        return any("crucible_engine" in part for part in process.cmdline())
    except psutil.Error:
        return False


@pytest.fixture
def start(tmp_path):
    """Return a function that runs something in the foreground until its engines compute."""
    started = []

    def run(what, n_engines=1):
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(tmp_path), what],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        while len(running := [one for one in engines(tmp_path) if is_engine(one)]) < n_engines:
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
        return process, running

    yield run
    for process in started:
        process.kill()
        process.wait()
    for left in engines(tmp_path):
        left.kill()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "number", "n_engines"),
    [
        ("workchain", "SIGINT", 1),
        ("calculation", "SIGTERM", 1),
        ("of somebody else", "SIGHUP", 2),
        pytest.param("workchain", "SIGTERM", 1, marks=pytest.mark.long),
        pytest.param("workchain", "SIGHUP", 1, marks=pytest.mark.long),
        pytest.param("calculation", "SIGINT", 1, marks=pytest.mark.long),
        pytest.param("calculation", "SIGHUP", 1, marks=pytest.mark.long),
        pytest.param("of somebody else", "SIGINT", 2, marks=pytest.mark.long),
        pytest.param("of somebody else", "SIGTERM", 2, marks=pytest.mark.long),
    ],
)
def test_no_engine_outlives_the_run_that_was_interrupted(what, number, n_engines, start, tmp_path):
    process, running = start(what, n_engines)
    process.send_signal(signal.Signals[number])
    said, complaint = process.communicate(timeout=60)
    assert [one for one in running if one.is_running() and one.status() != "zombie"] == [], complaint
    assert engines(tmp_path) == []
    assert process.returncode != 0
    states = said.strip().removeprefix("states: ").split()
    assert set(states) == {"killed"}, said + complaint
    assert f"{number}: ending {n_engines} running job" in complaint
    assert f"{number}: all has ended" in complaint

"""How a job ends whatever happens around it: signals at any line, streams and disks that take nothing."""

from __future__ import annotations

import errno
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from engine_jobs import (
    calculator_from,
    engine_environment,
    rattled_copper,
    read_arrays,
    read_results,
    run_here,
    start_engine,
    write_job,
)
from interrupted_jobs import assert_same_arrays
from seeds import chosen_seed
from signalled_runs import run_with_signal

from crucible_engine.wire.results import RESERVED_BYTES, ResultsFile, diagnose
from crucible_engine.wire.schema import JOB_FILE, PROGRESS_FILE, Condition, Results

TASKS = {
    "evaluate": {"batch_size": 1},
    "relax": {"fmax": 0.05, "optimizer": "BFGS"},
    "dynamics": {"steps": 3, "temperatures": [50.0, 60.0], "series_interval": 1, "checkpoint_interval": 2},
}
STRUCTURES = {"copper": bulk("Cu", a=3.5, cubic=True)}


def check_signal(tmp_path, task, line, reference):
    """Send a signal before a line and see that what was done is kept; return whether the job was finished."""
    folder = write_job(tmp_path / str(line), task, STRUCTURES, **TASKS[task])
    run = run_with_signal(folder, line)
    message = f"a signal at line {line}: {run.results['message']}"
    assert run.results["condition"] in ("finished", "interrupted"), message
    if run.had_arrays:
        assert run.results["condition"] == "finished", message
    finished = run.results["condition"] == "finished"
    if not finished:
        assert run_here(folder)["condition"] == "finished", message
    if reference:
        assert_same_arrays(read_arrays(folder), reference)
    shutil.rmtree(folder)
    return finished


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_a_signal_at_any_line_loses_nothing(tmp_path, task):
    check_lines(tmp_path, task, 3)


@pytest.mark.long
@pytest.mark.parametrize("task", TASKS)
def test_a_signal_at_many_lines_loses_nothing(tmp_path, task):
    check_lines(tmp_path, task, 400)


def check_lines(tmp_path, task, count):
    """Send signals at lines taken at random, and at as many of the last ones, where all is done."""
    folder = write_job(tmp_path / "whole", task, STRUCTURES, **TASKS[task])
    whole = run_with_signal(folder, None)
    assert whole.results["condition"] == "finished"
    reference = read_arrays(folder)
    last = np.arange(whole.lines - count, whole.lines) + 1
    anywhere = np.random.default_rng(chosen_seed()).choice(whole.lines, min(count, whole.lines), replace=False) + 1
    lines = sorted({1, *map(int, anywhere), *map(int, last)})
    finished = [check_signal(tmp_path, task, line, reference) for line in lines]
    assert not finished[0], "the first signal came before any work"
    assert all(finished[-count:]), "what was done stays done"


def test_a_signal_after_a_verification_does_not_undo_it(tmp_path, monkeypatch):
    folder = write_job(tmp_path, "evaluate", STRUCTURES)
    write = ResultsFile.write

    def late(self, results):
        signal.raise_signal(signal.SIGTERM)
        return write(self, results)

    monkeypatch.setattr(ResultsFile, "write", late)
    assert run_here(folder)["condition"] == "finished"


@pytest.mark.parametrize("name", ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU"])
def test_whatever_signal_asks_the_job_to_stop_it_ends_in_order(tmp_path, name):
    folder = write_job(tmp_path, "evaluate", STRUCTURES)
    results = run_with_signal(folder, 20, name).results
    assert results["condition"] == "interrupted"
    assert name in results["message"]


def test_a_closed_terminal_does_not_end_what_nohup_protects(tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        folder = write_job(tmp_path, "evaluate", STRUCTURES)
        assert run_with_signal(folder, 20, "SIGHUP").results["condition"] == "finished"
    finally:
        signal.signal(signal.SIGHUP, before)


REDIRECTIONS = ("2> /dev/full", "> /dev/full 2>&1", ">&- 2>&-", "<&- >&- 2>&-")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("redirection", REDIRECTIONS)
def test_streams_that_take_nothing_cost_no_results(tmp_path, redirection):
    folder = write_job(tmp_path, "evaluate", STRUCTURES)
    (folder / JOB_FILE).write_text("{}")
    command = f"exec {sys.executable} -m crucible_engine {folder} {redirection}"
    subprocess.run(["sh", "-c", command], env=engine_environment(), check=True)
    assert read_results(folder)["condition"] == "invalid-job"


@pytest.mark.slow
@pytest.mark.parametrize("redirection", ["2>&-", ">&- 2>&-"])
def test_a_library_that_complains_to_a_closed_descriptor_spoils_no_file(tmp_path, redirection):
    frames = rattled_copper(3)
    run_here(write_job(tmp_path / "quiet", "evaluate", frames, model=calculator_from("loud_calculators:loud")))
    folder = write_job(tmp_path / "loud", "evaluate", frames, model=calculator_from("loud_calculators:loud"))
    command = f"exec {sys.executable} -m crucible_engine {folder} {redirection}"
    subprocess.run(["sh", "-c", command], env=engine_environment(), check=True)
    assert read_results(folder)["condition"] == "finished"
    assert_same_arrays(read_arrays(folder), read_arrays(tmp_path / "quiet"))


class MuteError(Exception):
    """An exception that fails to describe itself."""

    def __str__(self) -> str:
        raise ValueError


def test_every_exception_has_a_condition_and_a_line():
    chained = KeyError("x")
    chained.__cause__ = chained
    full = OSError(errno.EDQUOT, "Disk quota exceeded")
    for error, condition in (
        (MuteError(), Condition.UNEXPECTED_ERROR),
        (chained, Condition.UNEXPECTED_ERROR),
        (RuntimeError("CUDA out of memory"), Condition.OUT_OF_MEMORY),
        (MemoryError(), Condition.OUT_OF_MEMORY),
        (full, Condition.DISK_FULL),
    ):
        found, line = diagnose(error)
        assert found is condition
        assert line
        assert "\n" not in line


@pytest.mark.parametrize("value", [float("nan"), object()])
def test_a_summary_that_is_no_json_is_left_out_and_said(tmp_path, value):
    written = ResultsFile(tmp_path).write(Results("verify", "finished", summary={"value": value}))
    assert written.condition == "unexpected-error"
    found = read_results(tmp_path)
    assert found["condition"] == "unexpected-error"
    assert found["message"].startswith("the results could not be written whole: ")


@pytest.mark.slow
def test_a_long_summary_on_a_full_disk_is_left_out_and_said(small_disk):
    target = ResultsFile(small_disk)
    with (small_disk / "filler").open("wb", buffering=0) as stream, pytest.raises(OSError, match="No space"):
        while True:
            stream.write(b"x" * 512)
    target.write(Results("relax", "finished", summary={"text": "x" * 10 * RESERVED_BYTES}))
    assert read_results(small_disk)["condition"] == "disk-full"


@pytest.mark.slow
def test_everything_on_one_full_disk_still_takes_the_results(small_disk):
    folder = write_job(small_disk / "job", "dynamics", STRUCTURES, steps=100_000, checkpoint_interval=50)
    with (folder / "stderr.txt").open("wb") as stderr, (folder / "stdout.txt").open("wb") as stdout:
        process = start_engine(folder, stderr=stderr, stdout=stdout)
        while not (folder / PROGRESS_FILE).exists():
            assert process.poll() is None
            time.sleep(0.001)
        with (small_disk / "filler").open("wb", buffering=0) as stream, pytest.raises(OSError, match="No space"):
            while True:
                stream.write(b"x" * 512)
        process.wait(60)
    assert process.returncode == 0
    assert read_results(folder)["condition"] == "disk-full"

"""SIGKILL at random moments of ``evaluate``: never a wrong or half number, and the restart finishes the same arrays."""

from __future__ import annotations

import time

import pytest
from engine_jobs import rattled_copper, read_arrays, run_engine, start_engine, write_job
from interrupted_jobs import check_remains, finish, kill_at_random_moments

from crucible_engine.wire.schema import ARRAYS_FILE, JOURNAL_FILE, RESULTS_FILE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def frames():
    return rattled_copper(300, repeat=2)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, frames):
    """Return the arrays of a job that nobody disturbed, and how long its process lived before it computed."""
    folder = write_job(tmp_path_factory.mktemp("undisturbed"), "evaluate", frames, batch_size=1)
    begin = time.monotonic()
    results = run_engine(folder)
    assert results["condition"] == "finished"
    return read_arrays(folder), time.monotonic() - begin - results["timings"]["compute"]


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.long)])
def test_killed_at_random_moments(tmp_path, frames, undisturbed, kills):
    reference, start = undisturbed
    folder = write_job(tmp_path, "evaluate", frames, batch_size=1)
    kill_at_random_moments(folder, reference, kills, start=start, span=0.1)
    left = check_remains(folder, reference)
    results = finish(folder, reference)
    assert results["summary"]["n_resumed"] == left


def test_killed_while_the_arrays_are_written(tmp_path, frames, undisturbed):
    reference, _ = undisturbed
    folder = write_job(tmp_path, "evaluate", frames, batch_size=1)
    process = start_engine(folder)
    # The journal of the whole job, taken just before its engine removes it, is what such a death leaves.
    while process.poll() is None:
        if (folder / ARRAYS_FILE).exists() and not (folder / RESULTS_FILE).exists():
            process.kill()
            break
        time.sleep(0.0005)
    process.communicate()
    if check_remains(folder, reference):
        assert (folder / JOURNAL_FILE).exists()
    finish(folder, reference)

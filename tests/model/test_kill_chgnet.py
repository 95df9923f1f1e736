"""SIGKILL at random moments of ``evaluate`` with a real model."""

from __future__ import annotations

import time

import pytest
from engine_jobs import read_arrays, run_engine, write_job
from interrupted_jobs import check_remains, finish, kill_at_random_moments
from perovskite import rattled

from crucible_engine.wire.schema import ModelReference

CHGNET = ModelReference("chgnet", "0.3.0")


# In the gate it is the toy that is killed while it evaluates, and CHGNet while it moves.
@pytest.mark.model
@pytest.mark.long
@pytest.mark.parametrize("kills", [20])
def test_killed_at_random_moments(tmp_path, python_of, kills):
    python = str(python_of("chgnet"))
    frames = rattled(400, repeat=1)
    undisturbed = write_job(tmp_path / "undisturbed", "evaluate", frames, model=CHGNET)
    begin = time.monotonic()
    results = run_engine(undisturbed, python=python)
    assert results["condition"] == "finished", results["message"]
    compute = results["timings"]["compute"]
    start = time.monotonic() - begin - compute
    reference = read_arrays(undisturbed)
    folder = write_job(tmp_path / "killed", "evaluate", frames, model=CHGNET)
    kill_at_random_moments(folder, reference, kills, start=start, span=compute / 10, python=python)
    left = check_remains(folder, reference)
    assert finish(folder, reference, python=python)["summary"]["n_resumed"] == left

"""SIGKILL at random moments of ``evaluate`` with a real model."""

from __future__ import annotations

import time

import pytest
from engine_jobs import read_arrays, run_engine, write_job
from interrupted_jobs import check_remains, finish, kill_at_random_moments
from perovskite import rattled

from crucible_engine.schema import ModelReference

KILLS = 20
CHGNET = ModelReference("chgnet", "0.3.0")


@pytest.mark.model
@pytest.mark.slow
def test_killed_at_twenty_random_moments(tmp_path, python_of):
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
    held = kill_at_random_moments(folder, reference, KILLS, latest=start + compute / 3, python=python)
    print(f"batches of {results['summary']['batch_size']}; structures in the journal after each kill: {held}")
    assert sum(0 < count < len(frames) for count in held) >= 3, "the kills did not hit the computation"
    left = check_remains(folder, reference)
    assert finish(folder, reference, python=python)["summary"]["n_resumed"] == left

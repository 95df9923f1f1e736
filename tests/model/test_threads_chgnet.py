"""Two engines at once share the cores, with a real model that would take them all."""

from __future__ import annotations

import pytest
from engine_jobs import engine_environment, read_results, start_engine, write_job
from perovskite import rattled

from crucible_engine.wire.schema import ModelReference


@pytest.mark.model
@pytest.mark.slow
def test_two_at_once_share_the_cores(tmp_path, python_of):
    python = str(python_of("chgnet"))
    environment = engine_environment(CRUCIBLE_RUNTIME_FOLDER=str(tmp_path / "engines"))
    environment.pop("OMP_NUM_THREADS", None)
    frames = rattled(12, repeat=2)
    folders = [
        write_job(tmp_path / name, "evaluate", frames, model=ModelReference("chgnet", "0.3.0"), threads=None)
        for name in ("first", "second")
    ]
    running = [start_engine(folder, python=python, env=environment) for folder in folders]
    for process in running:
        process.communicate()
    results = [read_results(folder) for folder in folders]
    assert [result["condition"] for result in results] == ["finished", "finished"], results
    threads = [result["environment"]["threads"] for result in results]
    assert {given["rule"] for given in threads} == {"shared"}
    # The one that ended last may have had all cores for its last batches.
    assert min(given["count"] for given in threads) <= max(1, threads[0]["cores"] // 2), threads

"""SIGKILL and SIGTERM at random moments of ``dynamics`` with real models."""

from __future__ import annotations

import random
import signal
import time

import pytest
from dynamics_runs import everything
from engine_jobs import read_results, run_engine, start_engine, write_job
from perovskite import rattled
from seeds import chosen_seed

from crucible_engine.wire.schema import PROGRESS_FILE, RESULTS_FILE, ModelReference

MODELS = {"chgnet": ModelReference("chgnet", "0.3.0"), "sevennet": ModelReference("sevennet", "7net-0")}
PARAMETERS = {
    "ensemble": "npt-melchionna",
    "temperatures": [300.0, 600.0],
    "steps": 60,
    "time_step": 2.0,
    "series_interval": 1,
    "frame_interval": 1,
    "checkpoint_interval": 7,
    "average_from": 0.2,
    "frame_forces": True,
}


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.parametrize("family", ["chgnet", pytest.param("sevennet", marks=pytest.mark.long)])
def test_resumed_bit_for_bit(tmp_path, python_of, family):
    python = str(python_of(family))
    crystal = {"PbTiO3": next(iter(rattled(1, repeat=1).values()))}
    whole = write_job(tmp_path / "whole", "dynamics", crystal, model=MODELS[family], **PARAMETERS)
    results = run_engine(whole, python=python)
    assert results["condition"] == "finished", results["message"]
    span = results["timings"]["compute"]
    moments = random.Random(chosen_seed())
    folder = tmp_path / "killed"
    interruptions = 0
    for kind in (signal.SIGKILL, signal.SIGTERM):
        write_job(folder, "dynamics", crystal, model=MODELS[family], **PARAMETERS)
        (folder / PROGRESS_FILE).unlink(missing_ok=True)
        process = start_engine(folder, python=python)
        while process.poll() is None and not (folder / PROGRESS_FILE).exists():
            time.sleep(0.01)
        time.sleep(moments.uniform(0.0, span / 3))
        process.send_signal(kind)
        process.communicate()
        interruptions += 1
        if (folder / RESULTS_FILE).exists() and read_results(folder)["condition"] == "finished":
            break
    results = run_engine(folder, python=python)
    assert results["condition"] == "finished", results["message"]
    print(f"{family}: {interruptions} interruptions, resumed last at {results['summary']['resumed_from_step']} of 120")
    assert results["summary"]["resumed_from_step"] is not None
    assert everything(folder) == everything(whole)

"""Checkpoints that are damaged, of another run, or that no disk takes: one line, and nothing is lost."""

import resource
import shutil

import pytest
from dynamics_runs import SHORT, die_after, everything, gold_copper
from engine_jobs import run_engine, run_here, write_job

from crucible_engine.job import runner
from crucible_engine.wire.schema import PREVIOUS_STATE_FILE, RUN_FOLDER, STATE_FILE

PARAMETERS = {**SHORT, "ensemble": "npt-mtk", "temperatures": [300.0], "steps": 60, "checkpoint_interval": 5}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = write_job(tmp_path_factory.mktemp("whole"), "dynamics", gold_copper(), **PARAMETERS)
    assert run_here(folder)["condition"] == "finished"
    return folder


@pytest.fixture
def begun(tmp_path):
    """Return the folder of a job that died at step 33, and so has checkpoints of the steps 30 and 25."""
    folder = write_job(tmp_path / "begun", "dynamics", gold_copper(), **PARAMETERS)
    die_after(folder, 33)
    return folder


def one_line(results):
    assert results["condition"] == "invalid-job"
    assert "\n" not in results["message"]
    return results["message"]


@pytest.mark.parametrize("n_bytes", [0, 100, -1])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(begun, whole, n_bytes):
    path = begun / RUN_FOLDER / STATE_FILE
    path.write_bytes(path.read_bytes()[:n_bytes])
    results = run_here(begun)
    assert results["condition"] == "finished", results["message"]
    assert results["summary"]["resumed_from_step"] == 25
    assert everything(begun) == everything(whole)


def test_only_damaged_checkpoints_are_not_taken_for_a_fresh_start(begun):
    (begun / RUN_FOLDER / STATE_FILE).write_bytes(b"no archive")
    (begun / RUN_FOLDER / PREVIOUS_STATE_FILE).write_bytes(b"")
    message = one_line(run_here(begun))
    assert message.startswith("state.npz is damaged (")
    assert message.endswith("no older checkpoint is intact: start the run without them")


def test_a_checkpoint_of_another_structure(begun):
    write_job(begun, "dynamics", {"CuAu": gold_copper()["CuAu"] * (2, 1, 1)}, **PARAMETERS)
    assert one_line(run_here(begun)) == (
        "state.npz is the checkpoint of another run, with another structure: restart from the run that wrote it, or "
        "start anew"
    )


def test_a_checkpoint_of_other_isotopes(begun):
    heavy = gold_copper()["CuAu"]
    heavy.set_masses([65.0 if symbol == "Cu" else None for symbol in heavy.symbols])
    write_job(begun, "dynamics", {"CuAu": heavy}, **PARAMETERS)
    assert "is the checkpoint of another run, with another structure" in one_line(run_here(begun))


def test_a_checkpoint_of_other_parameters(begun):
    structures = {"CuAu": gold_copper()["CuAu"] * (2, 1, 1)}
    write_job(begun, "dynamics", structures, **{**PARAMETERS, "time_step": 1.0, "pressure": 1.0})
    message = one_line(run_here(begun))
    assert "with another parameter 'pressure', parameter 'time_step', structure:" in message


def test_a_checkpoint_of_another_version_of_the_engine(begun, monkeypatch):
    monkeypatch.setattr(runner, "PROTOCOL", runner.PROTOCOL + 1)
    assert "with another version of the engine:" in one_line(run_here(begun))


@pytest.mark.parametrize("name", ["frames-0.npy", "series-0.npy"])
def test_a_shortened_stream_is_told(begun, name):
    path = begun / RUN_FOLDER / name
    path.write_bytes(path.read_bytes()[:300])
    assert name in one_line(run_here(begun))


FULL = {**PARAMETERS, "ensemble": "nve", "checkpoint_interval": 50}


def assert_goes_on(folder, whole):
    """Let a job that met a full disk go on with space, and compare it with one that had it."""
    results = run_here(folder)
    assert results["condition"] == "finished", results["message"]
    assert results["summary"]["resumed_from_step"] > 0
    assert everything(folder) == everything(whole)


@pytest.mark.slow
def test_a_full_disk_leaves_the_last_checkpoint(tmp_path):
    whole = write_job(tmp_path / "whole", "dynamics", gold_copper(), **{**FULL, "steps": 400})
    assert run_here(whole)["condition"] == "finished"
    folder = write_job(tmp_path / "full", "dynamics", gold_copper(), **{**FULL, "steps": 400})
    # Streams grow, checkpoints do not: the first to be refused is a stream.
    limit = (whole / RUN_FOLDER / "series-0.npy").stat().st_size * 2 // 3
    results = run_engine(folder, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert results["condition"] == "disk-full", results["message"]
    assert "Traceback" not in results["stderr"]
    assert_goes_on(folder, whole)


@pytest.mark.slow
def test_a_file_system_without_space_leaves_the_last_checkpoint(tmp_path, small_disk):
    whole = write_job(tmp_path / "whole", "dynamics", gold_copper(), **{**FULL, "steps": 2500})
    assert run_here(whole)["condition"] == "finished"
    folder = write_job(small_disk / "job", "dynamics", gold_copper(), **{**FULL, "steps": 2500})
    assert run_engine(folder)["condition"] == "disk-full"
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert_goes_on(copy, whole)

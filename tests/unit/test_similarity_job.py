"""The task ``similarity``: its files, what it refuses, and that a killed job goes on to the same bits."""

from __future__ import annotations

import contextlib
import random
import signal
import sys
import time

import numpy as np
import pytest
from ase.build import bulk
from engine_jobs import read_arrays, read_results, run_engine, start_engine, write_job
from hostile_engine import run_half
from interrupted_jobs import assert_same_arrays
from seeds import chosen_seed
from similarity_jobs import STAND_IN_ENVIRONMENT, run_similarity, salt_frames

from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.tasks.registry import require_task
from crucible_engine.tasks.similarity.gpu import find_device
from crucible_engine.wire.journal import JournalWriter, Record, read_journal
from crucible_engine.wire.rules import ParameterError
from crucible_engine.wire.schema import JOURNAL_FILE, Condition, EngineError, Job


def test_a_job_of_two_samplers(tmp_path):
    results = run_similarity(tmp_path, salt_frames(12, cold=0.02, warm=0.3), frames=8)
    assert (results["condition"], results["outcome"]) == ("finished", "mapped"), results["message"]
    summary = results["summary"]
    assert summary["samplers"] == {"cold": {"given": 12, "chosen": 8}, "warm": {"given": 12, "chosen": 8}}
    assert (summary["n_frames"], summary["n_pairs"], summary["n_resumed"]) == (16, 136, 0)
    (overlap,) = summary["overlaps"]
    assert (overlap["first"], overlap["second"]) == ("cold", "warm")
    assert 0 <= overlap["overlap"] < 0.6
    arrays = read_arrays(tmp_path)
    assert arrays["frame"].tolist() == [0, 1, 3, 4, 6, 7, 9, 10] * 2
    assert arrays["sampler"].tolist() == [0] * 8 + [1] * 8
    assert np.diagonal(arrays["kernel"]) == pytest.approx(np.ones(16), abs=1e-15)
    assert np.array_equal(arrays["kernel"], arrays["kernel"].T)
    assert np.einsum("ij,ij->j", arrays["coordinates"], arrays["coordinates"]) == pytest.approx(arrays["variances"])
    assert results["model"] == {} and results["environment"]["packages"]["dscribe"] == "2.1.0"
    assert [path.name for path in (tmp_path / "run").iterdir()] == []


def shifted(count):
    """Return frames of a crystal that differ by where its origin is, and so not at all."""
    frames = salt_frames(count, only=0.0)
    for index, atoms in enumerate(frames.values()):
        atoms.positions += 0.1 * index
    return frames


@pytest.mark.parametrize("choice", ["random", "farthest"])
def test_frames_chosen_otherwise(choice, tmp_path):
    results = run_similarity(tmp_path, salt_frames(10), frames=4, choice=choice)
    assert results["condition"] == "finished", results["message"]
    frames = read_arrays(tmp_path)["frame"].reshape(2, 4)
    assert all(len(set(row)) == 4 for row in frames.tolist())


@pytest.mark.slow
def test_killed_at_random_tiles_it_ends_with_the_same_bits(tmp_path):
    frames = salt_frames(60, repeat=2)
    parameters = {"alpha": 0.5, "memory": 32}
    assert run_similarity(tmp_path / "whole", frames, **parameters)["condition"] == "finished"
    write_job(tmp_path / "killed", "similarity", frames, model=None, **parameters)
    moments, journal, held = random.Random(chosen_seed()), tmp_path / "killed" / JOURNAL_FILE, []
    for _ in range(2):
        size = journal.stat().st_size if journal.exists() else 0
        process = start_engine(tmp_path / "killed", env=STAND_IN_ENVIRONMENT)
        while process.poll() is None and (not journal.exists() or journal.stat().st_size <= size):
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if not journal.exists():
            break
        held.append(sum(1 for _ in read_journal(journal)[1]))
    results = run_engine(tmp_path / "killed", env=STAND_IN_ENVIRONMENT)
    assert 0 < max(held) < results["summary"]["n_tiles"]
    assert results["summary"]["n_resumed"] > 0
    assert_same_arrays(read_arrays(tmp_path / "killed"), read_arrays(tmp_path / "whole"))


@pytest.mark.slow
def test_a_pair_without_end_does_not_keep_a_job_from_stopping(tmp_path):
    write_job(tmp_path, "similarity", salt_frames(3), model=None, alpha=2e-5, threshold=1e-20)
    process = start_engine(tmp_path, env=STAND_IN_ENVIRONMENT)
    time.sleep(4)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert read_results(tmp_path)["condition"] in ("interrupted", "invalid-job")


@pytest.mark.parametrize(
    ("frames", "parameters", "condition", "message"),
    [
        (salt_frames(1, only=0.1), {}, "invalid-job", "there is 1 frame to compare: give at least two"),
        (
            {**salt_frames(2, a=0.1), "b/0": bulk("KCl", "rocksalt", a=6.3)},
            {},
            "invalid-structure",
            "frame 'b/0' is ClK, but the first one is ClNa: give frames of one composition, or set "
            "mixed_compositions to true",
        ),
        (salt_frames(3, a=0.0, b=0.0), {}, "invalid-structure", "all 6 frames are the same: there is no map of them"),
        (shifted(3), {}, "invalid-structure", "all 3 frames are alike"),
        (salt_frames(3), {"memory": 10**9}, "invalid-job", "memory is 1000000000 MiB, but this machine has"),
        (salt_frames(3), {"alpha": 1e-6}, "invalid-job", "alpha (1e-06) is too small"),
    ],
    ids=["single", "composition", "same", "constant", "memory", "alpha"],
)
def test_bad_input_is_one_line(frames, parameters, condition, message, tmp_path):
    results = run_similarity(tmp_path, frames, **parameters)
    assert results["condition"] == condition
    assert message in results["message"] and "\n" not in results["message"]


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-320, 1e308, np.nan])
def test_similarities_of_a_damaged_journal_are_one_line(value, tmp_path):
    """A record whose checksum is right, and whose values nothing can have computed."""
    write_job(tmp_path, "similarity", salt_frames(3), model=None)
    run_half(tmp_path)
    header, records = read_journal(tmp_path / JOURNAL_FILE)
    record = next(records)
    similarities = np.array(record.arrays["similarities"])
    similarities[0, 0] = value
    (tmp_path / JOURNAL_FILE).unlink()
    with contextlib.closing(JournalWriter(tmp_path / JOURNAL_FILE, header)) as journal:
        journal.append(Record(record.kind, record.fields, {"similarities": similarities}))
    results = run_engine(tmp_path, env=STAND_IN_ENVIRONMENT)
    assert results["condition"] == "invalid-job", results["message"]
    assert "the journal is damaged" in results["message"] and "\n" not in results["message"]


def test_other_compositions_and_sizes_where_they_are_allowed(tmp_path):
    frames = {**salt_frames(3), "b/0": bulk("KCl", "rocksalt", a=6.3)}
    results = run_similarity(tmp_path, frames, mixed_compositions=True)
    assert results["condition"] == "finished", results["message"]
    assert read_arrays(tmp_path)["n_atoms"].tolist() == [8] * 6 + [2]


def test_without_its_packages_it_says_how_to_get_them(tmp_path):
    write_job(tmp_path, "similarity", salt_frames(2), model=None)
    results = run_engine(tmp_path)
    assert results["condition"] == "package-missing"
    assert "'aiida-crucible env create analysis' makes an environment that has it" in results["message"]


def test_a_model_is_refused_and_a_misspelt_parameter_too():
    with pytest.raises(EngineError, match="task 'similarity' needs no model"):
        require_task(Job.from_dict({**Job("similarity", None).to_dict(), "model": {"family": "emt"}}))
    with pytest.raises(ParameterError, match="did you mean 'alpha'"):
        validate_parameters("similarity", {"alhpa": 1.0})


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("cuda", "device 'cuda' is not there: this environment has no torch; create it with `--torch cuda`"),
        ("mps", "device 'mps' has no double precision: similarity runs on cpu or cuda"),
    ],
)
def test_a_device_that_is_not_there_is_one_line(device, message, monkeypatch):
    monkeypatch.setitem(sys.modules, "crucible_engine.families.torch_support", None)
    with pytest.raises(EngineError) as error:
        find_device(device)
    assert error.value.condition is Condition.DEVICE_UNAVAILABLE
    assert error.value.message == message
    assert find_device("auto") == find_device("cpu") == "cpu"

"""What a dynamics left behind, as nodes by replica and one exit code; damaged files included."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
from aiida.orm import Dict
from ase.build import bulk

from aiida_crucible.calculations.dynamics.calculation import DynamicsCalculation, check_attached
from aiida_crucible.calculations.dynamics.parser import AVERAGES
from aiida_crucible.nodes.structures import from_atoms
from crucible_engine.job.checkpoints import Checkpoints
from crucible_engine.tasks.dynamics.stream import Stream, series_dtype
from crucible_engine.wire.schema import SERIES_COLUMNS, Condition, Results

N_ATOMS, N_FRAMES, N_ROWS, STEPS = 4, 3, 6, 50
CODES = DynamicsCalculation.exit_codes
TIME_STEP = 2.0


@pytest.fixture
def inputs():
    parameters = {"temperatures": [300.0, 600.0], "steps": STEPS, "time_step": TIME_STEP}
    return {"structure": from_atoms(bulk("Cu", cubic=True)), "parameters": Dict(parameters)}


@pytest.fixture
def results(model):
    """Return a function that gives the bytes of ``results.json``."""

    def write(condition=Condition.FINISHED, **changes):
        content = Results("dynamics", condition.value, "why", "stable", model={"sha256": model.sha256}).to_dict()
        return json.dumps({**content, **changes}).encode()

    return write


def replica(index):
    """Return what ``arrays.npz`` holds of one replica."""
    rng = np.random.default_rng(index)
    return {
        f"series_{index}": rng.normal(size=(N_ROWS, len(SERIES_COLUMNS))),
        f"frame_steps_{index}": np.array([0, 20, 50]),
        f"frame_cells_{index}": rng.normal(size=(N_FRAMES, 3, 3)),
        f"frame_positions_{index}": rng.normal(size=(N_FRAMES, N_ATOMS, 3)).astype(np.float32),
        f"mean_positions_{index}": rng.normal(size=(N_ATOMS, 3)),
        f"mean_square_displacements_{index}": rng.normal(size=(N_ATOMS, 3)),
        f"mean_cell_{index}": rng.normal(size=(3, 3)),
        f"final_positions_{index}": rng.normal(size=(N_ATOMS, 3)),
        f"final_cell_{index}": np.eye(3) * 4,
        f"final_velocities_{index}": rng.normal(size=(N_ATOMS, 3)),
    }


@pytest.fixture
def arrays():
    return {**replica(0), **replica(1)}


def npz(arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


@pytest.fixture
def killed(tmp_path):
    """Return the files in the run folder of a job that was killed in its second replica, 40 steps in."""
    folder = tmp_path / "run"
    folder.mkdir()
    for index, rows in enumerate((N_ROWS, 5)):
        stream = Stream(folder / f"series-{index}.npy", series_dtype(SERIES_COLUMNS), 0)
        for row in range(rows):
            values = (row * 10.0, row * 10 * TIME_STEP, *range(len(SERIES_COLUMNS) - 2))
            stream.append(np.array(values, dtype=series_dtype(SERIES_COLUMNS)))
        stream.seal()
        stream.append(np.array((np.nan,) * len(SERIES_COLUMNS), dtype=series_dtype(SERIES_COLUMNS)))
        stream._flush()  # what was written after the checkpoint
        stream.close()
    Checkpoints(folder, {"task": "dynamics"}).write(
        {"done": {"replica_0": {}}, "step": 40}, {"positions": np.zeros((N_ATOMS, 3))}
    )
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_finished(parse, inputs, results, arrays):
    arrays["frame_forces_1"] = np.ones((N_FRAMES, N_ATOMS, 3), dtype=np.float32)
    arrays["frame_velocities_1"] = np.full((N_FRAMES, N_ATOMS, 3), 0.5, dtype=np.float32)
    outputs, code = parse("dynamics", {"results.json": results()}, {"arrays.npz": npz(arrays)}, inputs)
    assert code.status == 0
    for index in range(2):
        label = f"replica_{index}"
        trajectory = outputs[f"trajectories.{label}"]
        assert np.array_equal(trajectory.get_positions(), arrays[f"frame_positions_{index}"])
        assert np.array_equal(trajectory.get_cells(), arrays[f"frame_cells_{index}"])
        assert trajectory.get_stepids().tolist() == [0, 20, 50]
        assert trajectory.get_times() == pytest.approx([0, 0.04, 0.1])
        assert (trajectory.symbols, trajectory.pbc) == (["Cu"] * 4, (True, True, True))
        assert sorted(outputs[f"series.{label}"].get_arraynames()) == sorted(SERIES_COLUMNS)
        assert np.array_equal(outputs[f"series.{label}"].get_array("pressure"), arrays[f"series_{index}"][:, 7])
        assert np.array_equal(outputs[f"averages.{label}"].get_array("mean_cell"), arrays[f"mean_cell_{index}"])
        assert np.allclose(outputs[f"final.{label}"].cell, np.eye(3) * 4)
        for node in (outputs[f"{name}.{label}"] for name in ("trajectories", "series", "averages", "final")):
            node.store()
    assert outputs["trajectories.replica_1"].get_array("forces").dtype == np.float32
    assert (outputs["trajectories.replica_1"].get_velocities() == 0.5).all()
    assert "forces" not in outputs["trajectories.replica_0"].get_arraynames()


def test_attributes_stay_small(parse, inputs, results, arrays):
    outputs, _ = parse("dynamics", {"results.json": results()}, {"arrays.npz": npz(arrays)}, inputs)
    for node in outputs.values():
        assert len(json.dumps(node.base.attributes.all)) < 4000


def test_replica_that_never_began_and_frames_that_nobody_wanted(parse, inputs, results, arrays):
    """A sequential run whose crystal was lost stops there."""
    one = {name: array for name, array in replica(0).items() if not name.startswith("frame")}
    outputs, code = parse("dynamics", {"results.json": results()}, {"arrays.npz": npz(one)}, inputs)
    assert code.status == 0
    assert sorted(outputs) == ["averages.replica_0", "final.replica_0", "results", "series.replica_0"]


def test_geometry_that_is_no_number_is_left_out(parse, inputs, results, arrays):
    arrays["final_positions_1"][0, 0] = np.nan
    outputs, code = parse("dynamics", {"results.json": results()}, {"arrays.npz": npz(arrays)}, inputs)
    assert code.status == 0
    assert "final.replica_0" in outputs
    assert "final.replica_1" not in outputs


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("frame_positions_1", lambda array: array[:, :3], r"frame_positions_1 has shape \(3, 3, 3\) where \(3, 4, 3\)"),
        ("frame_cells_0", lambda array: array[:2], r"frame_cells_0 has shape \(2, 3, 3\) where \(3, 3, 3\)"),
        ("series_0", lambda array: array[:, :5], r"series_0 has shape \(6, 5\) where \(n, 23\)"),
        ("mean_positions_0", lambda array: array[0], r"mean_positions_0 has shape \(3,\)"),
        ("frame_steps_0", None, "frame_steps_0 is missing"),
        ("final_cell_1", None, "final_cell_1 is missing"),
        ("series_0", None, "series_0 is missing"),
        ("series_7", lambda _: np.zeros((2, 23)), "series_7 belongs to none of the 2 replicas"),
    ],
)
def test_arrays_of_another_run(name, change, message, parse, inputs, results, arrays):
    if change is None:
        del arrays[name]
    else:
        arrays[name] = change(arrays.get(name))
    outputs, code = parse("dynamics", {"results.json": results()}, {"arrays.npz": npz(arrays)}, inputs)
    assert code.status == CODES.ERROR_ARRAYS_MISMATCH.status
    assert re.search(message, code.message), code.message
    assert list(outputs) == ["results"]


@pytest.mark.slow
def test_truncated_and_missing_arrays(parse, inputs, results, arrays):
    content = npz(arrays)
    for temporary in ({}, {"arrays.npz": content[:-1]}, {"arrays.npz": content[:500]}, {"arrays.npz": b""}):
        outputs, code = parse("dynamics", {"results.json": results()}, temporary, inputs)
        assert code.status == CODES.ERROR_ARRAYS_UNREADABLE.status
        assert list(outputs) == ["results"]


@pytest.mark.slow
def test_killed_job_keeps_its_series_up_to_the_checkpoint(parse, inputs, killed):
    outputs, code = parse("dynamics", {"exit_status.txt": b"137\n"}, killed, inputs)
    assert code.status == CODES.ERROR_INTERRUPTED.status
    assert "its `remote_folder` output" in code.message
    assert outputs["results"]["summary"]["checkpoint"] == {"replica": 1, "step": 40}
    assert outputs["results"]["condition"] == "interrupted"
    assert sorted(outputs) == ["results", "series.replica_0", "series.replica_1"]
    assert outputs["series.replica_0"].get_array("step").tolist() == [0, 10, 20, 30, 40, 50]
    assert outputs["series.replica_1"].get_array("step").tolist() == [0, 10, 20, 30, 40]


def test_killed_job_keeps_the_replicas_that_were_done(parse, inputs, killed, tmp_path):
    done = {"replica_0": {"temperature": 300.0, "outcome": "stable", "averages": {"from_step": 1}}}
    files = with_done(killed, done, tmp_path / "done")
    outputs, code = parse("dynamics", {"exit_status.txt": b"137\n"}, files, inputs)
    assert code.status == CODES.ERROR_INTERRUPTED.status
    summary = outputs["results"]["summary"]
    assert summary["replicas"] == done
    assert summary["checkpoint"] == {"replica": 1, "step": 40}
    assert sorted(outputs["averages.replica_0"].get_arraynames()) == sorted(AVERAGES)
    assert outputs["final.replica_0"].cell == (np.eye(3) * 4).tolist()


def test_a_damaged_checkpoint_gives_way_to_the_one_before(parse, inputs, killed):
    files = {**killed, "state.previous.npz": killed["state.npz"], "state.npz": b"cut"}
    outputs, _ = parse("dynamics", {"exit_status.txt": b"137\n"}, files, inputs)
    assert outputs["results"]["summary"]["checkpoint"] == {"replica": 1, "step": 40}


def with_done(killed, done, folder):
    """Return the files of a killed job whose checkpoint tells of replicas that are done."""
    folder.mkdir()
    Checkpoints(folder, {"task": "dynamics"}).write({"done": done, "step": 40}, {"positions": np.zeros((N_ATOMS, 3))})
    result = {name.rpartition("_")[0]: array for name, array in replica(0).items() if name[:4] in ("mean", "fina")}
    return {**killed, "state.npz": (folder / "state.npz").read_bytes(), "result-0.npz": npz(result)}


@pytest.mark.slow
def test_killed_job_with_damaged_files_can_still_be_told(parse, inputs, killed):
    content = killed["series-1.npy"]
    for cut in (0, 5, 60, len(content) - 3 * 8 * len(SERIES_COLUMNS)):
        files = {**killed, "series-1.npy": content[:cut], "state.npz": killed["state.npz"][:-9]}
        outputs, code = parse("dynamics", {"exit_status.txt": b"137\n"}, files, inputs)
        assert code.status == CODES.ERROR_INTERRUPTED.status
        assert outputs["results"]["summary"]["checkpoint"] is None
        assert sorted(outputs) == ["results", "series.replica_0"]


@pytest.mark.slow
def test_orderly_interruption_keeps_all_there_is(parse, inputs, results, killed, arrays):
    part = {name: array for name, array in arrays.items() if not name.startswith(("mean", "final_velocities"))}
    files = {"results.json": results(Condition.INTERRUPTED, summary={"n_completed": 1})}
    outputs, code = parse("dynamics", files, {**killed, "arrays.npz": npz(part)}, inputs)
    assert code.status == CODES.ERROR_INTERRUPTED.status
    assert outputs["results"]["summary"]["n_completed"] == 1
    assert outputs["results"]["summary"]["checkpoint"] == {"replica": 1, "step": 40}
    assert {"trajectories.replica_1", "final.replica_0"} <= set(outputs)
    outputs, code = parse("dynamics", files, {**killed, "arrays.npz": npz(part)[:-1]}, inputs)
    assert code.status == CODES.ERROR_INTERRUPTED.status
    assert sorted(outputs) == ["results"]


@pytest.mark.slow
def test_walltime_and_full_disk_tell_of_the_checkpoint(parse, inputs, results, killed):
    _, code = parse("dynamics", {}, killed, inputs, scheduler_status=120)
    assert code.status == CODES.ERROR_OUT_OF_WALLTIME.status
    outputs, code = parse("dynamics", {"results.json": results(Condition.DISK_FULL)}, killed, inputs)
    assert code.status == CODES.ERROR_DISK_FULL.status
    assert outputs["results"]["summary"]["checkpoint"] == {"replica": 1, "step": 40}


def test_only_what_is_asked_for_becomes_a_node(parse, inputs, results, arrays):
    files = {"results.json": results()}, {"arrays.npz": npz(arrays)}
    outputs, code = parse("dynamics", *files, inputs, options={"attach": ["trajectories"]})
    assert code.status == 0
    assert sorted(outputs) == ["results", "trajectories.replica_0", "trajectories.replica_1"]


def test_what_no_replica_leaves_cannot_be_asked_for():
    with pytest.raises(ValueError, match="attach has 'trajectory': did you mean 'trajectories'") as error:
        check_attached(["series", "trajectory"])
    assert "\n" not in str(error.value)

"""Trainings by the packages' own trainers: the same weights twice, stopped and killed ones too, and what diverges."""

from __future__ import annotations

import json
import math
import os
import random
import time
from pathlib import Path

import numpy as np
import pytest
from aiida.orm import InstalledCode
from ase.io import write
from engine_jobs import read_arrays, run_engine, start_engine
from labelled_frames import labelled_salt
from training_jobs import CHGNET, salt, spring_labels, write_training

from aiida_crucible.calculations.validation import ENVIRONMENT_KEY
from aiida_crucible.datasets.from_files import import_dataset
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.training.ancestry import ancestry_of
from aiida_crucible.workflows.train.base import TrainBaseWorkChain
from aiida_crucible.workflows.train.workchain import TrainWorkChain
from crucible_engine.families.registry import FAMILIES
from crucible_engine.tasks.train.run import LEAST_MARGIN
from crucible_engine.wire.schema import RUN_FOLDER, STATE_FILE
from crucible_engine.wire.training import CURVES

pytestmark = [pytest.mark.model, pytest.mark.slow]

TRAINED = {"chgnet": ("0.3.0", "NaCl", 1e-3), "sevennet": ("7net-0", "NaCl", 1e-3), "mace": (None, "AlNi", 1e-2)}
"""Weights (``None`` for a file that the conformance suite makes), what the frames are of, learning rate."""
BITWISE = ("chgnet", "sevennet", "mace")
"""Families whose trainings end with the same bits however often they were stopped, on a CPU with as many threads."""

SAME_FILE = ("chgnet", "sevennet")
"""Those whose files have the same bytes by construction; MACE pickles compiled code with the numbers."""

MAKE = """
from pathlib import Path
from crucible_engine.families.{family}.conformance import CASES, make_checkpoint
make_checkpoint(CASES[0], Path({path!r}))
"""


@pytest.fixture(scope="module", params=TRAINED)
def runs(request, run_in, tmp_path_factory):
    """Return what came of all trainings of a family."""
    family, folder = request.param, tmp_path_factory.mktemp(request.param)
    weights, formula, rate = TRAINED[family]
    if weights is None:
        weights = folder / "small.model"
        made = run_in(family, "-c", MAKE.format(family=family, path=str(weights)), cwd=folder)
        assert made.returncode == 0, made.stderr
    script = Path(__file__).parents[1] / "helpers" / "training_runs.py"
    finished = run_in(family, script, family, weights, folder, formula, rate, cwd=folder, timeout=2400)
    assert finished.returncode == 0, finished.stderr
    return family, json.loads((folder / "found.json").read_text())


def test_every_family_that_trains_is_tried():
    assert set(TRAINED) == {name for name, family in FAMILIES.items() if family.training is not None}


def test_it_learns(runs):
    _, found = runs
    whole = found["whole"]
    assert (whole["condition"], whole["outcome"]) == ("finished", "trained")
    losses = whole["curves"]["validation_loss"]
    assert losses[-1] < 0.95 * losses[0]
    assert len(whole["summary"]["errors"]["test"]["by_element"]) == 2


def test_the_same_training_gives_the_same_weights(runs):
    family, found = runs
    assert found["again"]["summary"]["numbers"] == found["whole"]["summary"]["numbers"]
    assert found["another seed"]["summary"]["numbers"] != found["whole"]["summary"]["numbers"]
    if family in SAME_FILE:
        assert found["again"]["summary"]["weights"] == found["whole"]["summary"]["weights"]


@pytest.mark.parametrize("name", ["whole", "averaged"])
def test_a_training_that_was_stopped_ends_as_one_that_was_not(runs, name):
    family, found = runs
    pairs = found["stopped"] if name == "whole" else [found["averaged, stopped"]]
    for first, second in pairs:
        assert first["condition"] == "interrupted"
        assert second["summary"]["resumed_from"] == first["summary"]["checkpoint"]
        assert len(second["curves"]["epoch"]) == len(found[name]["curves"]["epoch"])
        if family in BITWISE:
            assert second["curves"] == found[name]["curves"]
            assert second["summary"]["numbers"] == found[name]["summary"]["numbers"]
        else:
            assert second["curves"]["validation_loss"] == pytest.approx(
                found[name]["curves"]["validation_loss"], rel=1e-3
            )


def test_a_full_disk_costs_no_checkpoint(runs):
    _, found = runs
    first, second = found["full disk"]
    assert first["condition"] == "disk-full"
    assert "no space left" in first["message"]
    assert STATE_FILE in first["kept"]
    assert not [name for name in first["kept"] if name.endswith(".part")]
    assert second["summary"]["resumed_from"] == {"epoch": 1, "step": 3}
    assert second["summary"]["numbers"] == found["whole"]["summary"]["numbers"]


def test_a_training_that_diverges_is_an_outcome(runs):
    _, found = runs
    diverged = found["diverged"]
    assert (diverged["condition"], diverged["outcome"]) == ("finished", "diverged")
    assert diverged["summary"]["diverged"] == {"epoch": 1, "step": 1}
    assert not diverged["has_weights"]
    wild = found["wild"]
    assert wild["condition"] == "finished"
    assert np.isfinite(wild["curves"]["validation_loss"]).all()


def test_all_methods_and_settings_train(runs):
    _, found = runs
    whole = found["whole"]["summary"]["n_weights"]
    assert 0 < found["frozen"]["summary"]["n_weights"] < whole
    assert found["scratch"]["summary"]["n_weights"] == whole
    names = ("frozen", "scratch", "huber", "no stress", "few stresses", "averaged")
    for name in (name for name in names if name in found):
        assert found[name]["condition"] == "finished", (name, found[name]["message"])
        losses = found[name]["curves"]["validation_loss"]
        assert losses[-1] < losses[0], name
        assert found[name]["summary"]["numbers"] != found["whole"]["summary"]["numbers"]
    assert np.isnan(found["no stress"]["curves"]["validation_stress_error"]).all()


KILLS = 3


def test_killed_at_random_moments(python_of, tmp_path):
    """SIGKILL cannot be received: what is lost is the time since the last checkpoint, and nothing else."""
    frames = salt(11)
    python = str(python_of("chgnet"))
    parameters = {"epochs": 4, "batch_size": 3, "checkpoint_seconds": 1.0}
    undisturbed = write_training(tmp_path / "undisturbed", frames, spring_labels(frames), CHGNET, **parameters)
    results = run_engine(undisturbed, python=python)
    assert results["condition"] == "finished", results["message"]
    killed = write_training(tmp_path / "killed", frames, spring_labels(frames), CHGNET, **parameters)
    generator, state = random.Random(0), killed / RUN_FOLDER / STATE_FILE
    for _ in range(KILLS):
        before = state.stat().st_mtime_ns if state.exists() else 0
        process = start_engine(killed, python=python)
        while process.poll() is None and (not state.exists() or state.stat().st_mtime_ns == before):
            time.sleep(0.01)
        time.sleep(generator.uniform(0, 0.5))
        process.kill()
        process.communicate()
    again = run_engine(killed, python=python)
    assert again["condition"] == "finished", again["message"]
    assert again["summary"]["weights"] == results["summary"]["weights"]
    first, second = read_arrays(undisturbed), read_arrays(killed)
    assert all((first[name] == second[name]).all() for name in CURVES if name != "seconds")


def test_a_walltime_ends_a_training_with_a_checkpoint(python_of, tmp_path):
    frames = salt(11)
    folder = write_training(
        tmp_path / "short", frames, spring_labels(frames), CHGNET, walltime=15, epochs=100_000, batch_size=3
    )
    results = run_engine(folder, python=str(python_of("chgnet")))
    assert results["condition"] == "interrupted"
    assert "before its walltime of 15 s" in results["message"]
    assert (folder / RUN_FOLDER / STATE_FILE).exists()
    assert results["timings"]["total"] < 15


@pytest.fixture(scope="module")
def chgnet_code(computer, python_of):
    code = InstalledCode(label="chgnet", computer=computer, filepath_executable=str(python_of("chgnet"))).store()
    code.base.extras.set(ENVIRONMENT_KEY, {"family": "chgnet", "package": "chgnet", "version": "0.4.2", "lock": "0"})
    return code


def test_from_a_file_to_a_new_model(chgnet_code, tmp_path):
    """The whole way, with energies of another zero: 4400 eV an atom below the model's."""
    from aiida.engine import run_get_node

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    path = tmp_path / "salt.extxyz"
    write(path, labelled_salt(12, energies=lambda energy: energy - 2 * 4400.0))
    dataset = import_dataset([path], theory="PBE")
    parent = ModelData.get_or_create("chgnet")
    overrides = {
        "parameters": {"energy_shift": "distributed"},
        "train": {"train": {"parameters": {"epochs": 2}, "metadata": {"options": {"device": "cpu"}}}},
        "verify": {"on_failure": "continue"},
    }
    builder = TrainWorkChain.get_builder_from_protocol(chgnet_code, parent, dataset, "fast", overrides=overrides)
    _, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    summary = node.outputs.summary.get_dict()
    assert summary["outcome"] == "trained"
    assert summary["labels"]["energy_shift"]["by_element"]["Na"] == pytest.approx(-4400, abs=2)
    assert summary["ratios"]["validation"]["force"] < 1
    trained = node.outputs.trained
    (ancestor,) = ancestry_of(trained)
    assert ancestor.parent.uuid == parent.uuid
    assert ancestor.dataset.uuid == node.outputs.dataset.uuid
    # Whoever has the file has the potential.
    assert trained.is_checkpoint
    assert not trained.trusted
    assert trained.sha256 == summary["weights"]


EPOCHS = 48
"""Of ten steps: longer than a job takes to start."""


def test_a_training_goes_on_over_several_jobs(chgnet_code, tmp_path):
    """A walltime that is too short for all epochs: the same numbers in the end, and one run folder left behind."""
    from aiida.engine import run_get_node

    path = tmp_path / "salt.extxyz"
    write(path, labelled_salt(12))
    dataset = import_dataset([path], theory="PBE")

    def train(seconds):
        builder = TrainBaseWorkChain.get_builder()
        builder.train.code, builder.train.model = chgnet_code, ModelData.get_or_create("chgnet")
        builder.train.dataset, builder.train.parameters = dataset, {"epochs": EPOCHS, "batch_size": 1}
        builder.train.metadata.options.device = "cpu"
        builder.train.metadata.options.max_wallclock_seconds = seconds
        resources = {"num_machines": 1, "num_mpiprocs_per_machine": 1, "num_cores_per_mpiproc": 1}
        builder.train.metadata.options.resources = resources
        _, node = run_get_node(builder)
        assert node.is_finished_ok, node.exit_message
        return node

    whole = train(600)
    timings = whole.outputs.results["timings"]
    # On any processor: what a job needs to start and to stop in time, and half of what there is to compute.
    short = train(math.ceil(timings["total"] - 0.5 * timings["compute"] + LEAST_MARGIN + 1))
    jobs = [job for job in short.called if job.process_label == "TrainCalculation"]
    assert len(jobs) > 1
    summaries = [node.outputs.results["summary"] for node in (short, whole)]
    assert summaries[0]["resumed_from"]["step"] > 0
    assert summaries[0]["numbers"] == summaries[1]["numbers"]
    losses = [node.outputs.curves.get_array("validation_loss") for node in (short, whole)]
    assert (losses[0] == losses[1]).all()

"""One job, several structures: each replica begins with its own, and is what it would be in a job of its own."""

from __future__ import annotations

import random

import numpy as np
import pytest
from ase.build import bulk, molecule
from dynamics_runs import SHORT, die_after, everything, gold_copper
from engine_jobs import calculator_from, read_arrays, run_here, write_job
from seeds import chosen_seed

from crucible_engine.tasks.dynamics.output import estimate_size
from crucible_engine.tasks.dynamics.parameters import time_step_warning
from crucible_engine.tasks.dynamics.settings import Settings
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.schema import RUN_FOLDER

THREE = {**SHORT, "temperatures": [300.0, 300.0, 500.0]}
SIZES = [4, 8, 1]


def three():
    """Return crystals of three compositions and sizes, by labels that are not in the order of the alphabet."""
    silver = bulk("Ag", cubic=True) * (2, 1, 1)
    silver.rattle(0.02, seed=5)
    return {"z-alloy": gold_copper()["CuAu"], "b-silver": silver, "a-platinum": bulk("Pt")}


def settings_of(**parameters):
    return Settings(**validate_parameters("dynamics", parameters))


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Return the folder and results of a job of three structures that nobody disturbs."""
    folder = write_job(tmp_path_factory.mktemp("together"), "dynamics", three(), **THREE)
    return folder, run_here(folder)


def test_each_replica_is_that_of_a_job_of_its_own(together, tmp_path):
    folder, results = together
    assert results["condition"] == "finished", results["message"]
    arrays, summary = read_arrays(folder), results["summary"]
    for index, (label, atoms) in enumerate(three().items()):
        parameters = {**SHORT, "temperatures": [THREE["temperatures"][index]], "first_replica": index}
        alone = write_job(tmp_path / label, "dynamics", {label: atoms}, **parameters)
        own = run_here(alone)["summary"]["replicas"]["replica_0"]
        found = {name.rpartition("_")[0]: array for name, array in arrays.items() if name.endswith(f"_{index}")}
        wanted = {name.rpartition("_")[0]: array for name, array in read_arrays(alone).items()}
        assert sorted(found) == sorted(wanted)
        for name, array in wanted.items():
            assert found[name].tobytes() == array.tobytes(), name
        assert summary["replicas"][f"replica_{index}"] == {"structure": label, **own}


def test_summary_tells_every_size(together):
    folder, results = together
    summary = results["summary"]
    assert (summary["n_atoms"], summary["sizes"]) == (8, SIZES)
    assert summary["steps_done"] == summary["steps_total"] == 3 * THREE["steps"]
    assert summary["size"] == estimate_size(SIZES, settings_of(**THREE))
    frames = sum((folder / RUN_FOLDER / f"frames-{index}.npy").stat().st_size for index in range(3))
    assert 0 < frames - summary["size"]["frames_bytes"] < 3 * 1024  # the headers


def test_the_size_of_several_is_the_sum_of_each():
    settings, alone = settings_of(**THREE), settings_of(**{**THREE, "temperatures": [300.0]})
    each = [estimate_size([size], alone) for size in SIZES]
    assert estimate_size(SIZES, settings) == {name: sum(size[name] for size in each) for name in each[0]}


def test_a_single_structure_has_no_list_of_sizes(tmp_path):
    summary = run_here(write_job(tmp_path, "dynamics", gold_copper(), **SHORT))["summary"]
    assert summary["n_atoms"] == 4
    assert "sizes" not in summary
    assert "structure" not in summary["replicas"]["replica_0"]


def test_the_lightest_of_all_atoms_is_warned_of(tmp_path):
    structures = {"copper": bulk("Cu", cubic=True), "water": molecule("H2O", vacuum=3.0)}
    parameters = {"temperatures": [300.0, 300.0], "steps": 2, "time_step": 3.0}
    summary = run_here(write_job(tmp_path, "dynamics", structures, **parameters))["summary"]
    assert summary["warnings"] == [time_step_warning(3.0, 1.008)]


@pytest.mark.parametrize("factory", [None, "ase.calculators.emt:EMT"])
def test_killed_in_a_later_replica_and_resumed_bit_for_bit(tmp_path, factory):
    """Also with a calculator that remembers, which has seen another structure before."""
    model = {} if factory is None else {"model": calculator_from(factory)}
    structures = {label: atoms for label, atoms in three().items() if len(atoms) > 1}
    parameters = {**SHORT, "temperatures": [400.0, 400.0], "ensemble": "nvt-langevin"}
    whole = write_job(tmp_path / "whole", "dynamics", structures, **model, **parameters)
    assert run_here(whole)["condition"] == "finished"
    seed = chosen_seed()
    interval, steps = SHORT["checkpoint_interval"], SHORT["steps"]
    moment = random.Random(seed).randrange(steps + 1, 2 * steps)
    folder = write_job(tmp_path / "died", "dynamics", structures, **model, **parameters)
    die_after(folder, moment)
    results = run_here(folder)
    assert results["condition"] == "finished", results["message"]
    assert results["summary"]["resumed_from_step"] == steps + (moment - steps) // interval * interval
    assert everything(folder) == everything(whole)


def test_a_checkpoint_of_other_structures_is_refused(tmp_path):
    folder = write_job(tmp_path, "dynamics", three(), **THREE)
    die_after(folder, 30)
    others = dict(zip(three(), [*list(three().values())[:2], bulk("Pd")], strict=True))
    results = run_here(write_job(tmp_path, "dynamics", others, **THREE))
    assert results["condition"] == "invalid-job"
    assert "is the checkpoint of another run, with another structure" in results["message"]


def test_what_fails_physically_does_not_end_the_others(tmp_path):
    """The first gives no finite force at all, the second flies apart, the third is a crystal."""
    dense = bulk("Cu", a=2.3, cubic=True) * (2, 2, 2)
    dense.rattle(0.05, seed=1)
    structures = {"nan": bulk("Au", cubic=True), "dense": dense, "calm": bulk("Ag", cubic=True) * (2, 2, 2)}
    parameters = {**SHORT, "temperatures": [300.0] * 3, "ensemble": "nve"}
    model = calculator_from("faulty_calculators:faulty", fault="nan")
    results = run_here(write_job(tmp_path, "dynamics", structures, model=model, **parameters))
    assert results["condition"] == "finished", results["message"]
    summary = results["summary"]
    outcomes = [replica["outcome"] for replica in summary["replicas"].values()]
    assert outcomes[0] == results["outcome"] == "non-finite"
    assert outcomes[1:] == ["exploded", "stable"]
    assert summary["replicas"]["replica_1"]["step"] < SHORT["steps"]
    assert (summary["n_completed"], summary["not_run"]) == (3, [])
    arrays = read_arrays(tmp_path)
    assert len(arrays["series_0"]) == 0
    assert arrays["final_positions_2"].shape == (32, 3)
    assert np.isfinite(arrays["final_positions_2"]).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"temperatures": [300.0, 400.0]}, "number of structures of dynamics is 3, but that of 'temperatures' is 2"),
        ({"temperatures": [300.0] * 4}, "number of structures of dynamics is 3, but that of 'temperatures' is 4"),
        ({"temperatures": [300.0] * 3, "start": "sequential"}, "parameter 'start' of dynamics is 'sequential', but"),
    ],
)
def test_structures_that_do_not_fit_to_the_replicas(tmp_path, parameters, message):
    results = run_here(write_job(tmp_path, "dynamics", three(), **parameters))
    assert results["condition"] == "invalid-job"
    assert message in results["message"]
    assert "\n" not in results["message"]
    assert not (tmp_path / RUN_FOLDER).exists()


@pytest.mark.parametrize(
    ("last", "parameters", "message"),
    [
        (molecule("H2O"), {"ensemble": "npt-mtk"}, "structure 'last' is not periodic in three directions"),
        (bulk("Cu"), {"ensemble": "npt-melchionna"}, "one atom is its own: take a supercell"),
        (bulk("Cu") * (2, 2, 2), {"ensemble": "npt-melchionna", "mask": [1, 1, 0]}, "this cell has to be turned"),
    ],
)
def test_what_a_barostat_cannot_do_is_told_before_the_first_runs(tmp_path, last, parameters, message):
    structures = {"first": bulk("Cu", cubic=True), "last": last}
    results = run_here(write_job(tmp_path, "dynamics", structures, temperatures=[300.0, 300.0], **parameters))
    assert results["condition"] in ("invalid-structure", "invalid-job")
    assert message in results["message"]
    assert not list(tmp_path.glob(f"{RUN_FOLDER}/series-*.npy"))


def test_an_element_that_the_model_does_not_know_names_its_structure(tmp_path):
    structures = {"first": bulk("Cu"), "last": bulk("Fe")}
    results = run_here(write_job(tmp_path, "dynamics", structures, temperatures=[300.0, 300.0]))
    assert results["condition"] == "unsupported-element"
    assert "structure 'last' contains Fe" in results["message"]

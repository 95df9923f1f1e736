"""A run that is stopped and resumed is the run that was not, bit for bit, with every integrator."""

from __future__ import annotations

import dataclasses
import random
import shutil
import signal
import time

import numpy as np
import pytest
from dynamics_runs import SHORT, VARIANTS, die_after, everything, gold_copper, numbers_inside
from engine_jobs import calculator_from, read_arrays, read_results, run_engine, run_here, start_engine, write_job
from seeds import chosen_seed

from crucible_engine.families.emt.adapter import OrderedEMT
from crucible_engine.tasks.dynamics.integrators import integrator_of, read_state
from crucible_engine.tasks.dynamics.replica import Replica
from crucible_engine.tasks.dynamics.settings import Settings
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.schema import RESULTS_FILE, RUN_FOLDER

QUICK = "npt-melchionna, lengths only, literal pfactor"

MOMENTS = {3: None, 17: 14, 24: 24, 41: 38}
"""Steps after which a run dies, and the one that it goes on from: before the first checkpoint; between two; when a
replica has just ended; in the second one. What differs between integrators is how they go on between two."""

SCRATCH = {
    "v",
    "rnd_pos",
    "rnd_vel",
    "random_velocity",
    "random_com_velocity",
    "andersen_chance",
    "nsteps",
    "_thermostat._kT",
    "_barostat._kT",
    "temp",
    "target_kinetic_energy",
    "c3",
    "c4",
    "c5",
}
"""What integrators overwrite at every step before they read it, and what follows from the target temperature."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "variant",
    [variant if variant == QUICK else pytest.param(variant, marks=pytest.mark.slow) for variant in VARIANTS],
)
def test_a_run_that_dies_goes_on_from_its_last_checkpoint_bit_for_bit(tmp_path, variant):
    parameters = {**SHORT, **VARIANTS[variant]}
    whole = write_job(tmp_path / "whole", "dynamics", gold_copper(), **parameters)
    assert run_here(whole)["condition"] == "finished"
    for moment, kept in (MOMENTS if variant == QUICK else {41: 38}).items():
        folder = write_job(tmp_path / str(moment), "dynamics", gold_copper(), **parameters)
        die_after(folder, moment)
        results = run_here(folder)
        assert results["condition"] == "finished", results["message"]
        assert results["summary"]["resumed_from_step"] == kept
        assert everything(folder) == everything(whole)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_state_holds_everything_that_an_integrator_keeps(tmp_path, variant):
    (atoms,) = gold_copper().values()
    settings = Settings(**validate_parameters("dynamics", {**SHORT, **VARIANTS[variant]}))
    replica = Replica(0, atoms, OrderedEMT(), sites=atoms, settings=settings, folder=tmp_path)
    replica.begin()
    replica.advance()
    before = numbers_inside(replica._dynamics)
    for _ in range(3):
        replica.advance()
    after = numbers_inside(replica._dynamics)
    changed = {name for name in after if not np.array_equal(before.get(name), after[name])}
    kept = set(read_state(replica._dynamics, integrator_of(settings)))
    assert changed - SCRATCH <= kept


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, pytest.param(len(VARIANTS), marks=pytest.mark.long)])
def test_killed_and_stopped_at_random_moments(tmp_path, count):
    moments = random.Random(chosen_seed())
    chosen = dict(moments.sample(sorted(VARIANTS.items()), count))
    interruptions = resumed = 0
    long = {**SHORT, "temperatures": [300.0], "steps": 400, "checkpoint_interval": 13}
    for variant, changes in chosen.items():
        whole = write_job(tmp_path / "whole" / variant, "dynamics", gold_copper(), **{**long, **changes})
        began = time.monotonic()
        assert run_here(whole)["condition"] == "finished"
        span = time.monotonic() - began
        folder = write_job(tmp_path / "killed" / variant, "dynamics", gold_copper(), **{**long, **changes})
        for kind in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
            process = start_engine(folder)
            while process.poll() is None and not (folder / RUN_FOLDER).exists():
                time.sleep(0.005)
            time.sleep(moments.uniform(0.0, span * 0.6))
            process.send_signal(kind)
            process.communicate()
            if (folder / RESULTS_FILE).exists() and read_results(folder)["condition"] == "finished":
                break
            interruptions += 1
        results = run_engine(folder)
        assert results["condition"] == "finished", results["message"]
        resumed += results["summary"]["resumed_from_step"] is not None
        assert everything(folder) == everything(whole), variant
        shutil.rmtree(folder)
    print(f"{interruptions} interruptions, {resumed} of {count} runs went on from a checkpoint: {list(chosen)}")
    assert interruptions >= 2 * count
    assert resumed >= count // 2


def test_a_signal_leaves_a_checkpoint_of_the_very_step(tmp_path):
    parameters = {**SHORT, "temperatures": [300.0], "steps": 100000, "checkpoint_interval": 100000}
    folder = write_job(tmp_path, "dynamics", gold_copper(), **parameters)
    process = start_engine(folder)
    while process.poll() is None and not (folder / "progress.jsonl").exists():
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGUSR1)
    process.communicate()
    results = read_results(folder)
    assert results["condition"] == "interrupted"
    step = results["summary"]["replicas"]["replica_0"]["step"]
    assert step > 0
    arrays = read_arrays(folder)
    assert arrays["series_0"][-1, 0] == step // 3 * 3
    with np.load(folder / RUN_FOLDER / "state.npz") as state:
        assert f'"step": {step}' in str(state["scalars"])


@pytest.mark.slow
def test_a_calculator_that_remembers_is_renewed_at_checkpoints(tmp_path):
    # ASE's own EMT keeps its neighbours in the order of an earlier geometry.
    model = calculator_from("ase.calculators.emt:EMT")
    parameters = {**SHORT, "temperatures": [900.0], "steps": 60, "checkpoint_interval": 10, "ensemble": "nve"}
    whole = write_job(tmp_path / "whole", "dynamics", gold_copper(2), model=model, **parameters)
    assert run_here(whole)["condition"] == "finished"
    folder = write_job(tmp_path / "died", "dynamics", gold_copper(2), model=model, **parameters)
    die_after(folder, 37)
    results = run_here(folder)
    assert results["summary"]["resumed_from_step"] == 30
    assert everything(folder) == everything(whole)


def test_settings_and_parameters_have_the_same_names():
    assert {field.name for field in dataclasses.fields(Settings)} == set(validate_parameters("dynamics", {}))


def test_the_toy_forgets_what_it_saw(tmp_path):
    (atoms,) = gold_copper(2).values()
    fresh, used = OrderedEMT(), OrderedEMT()
    for seed in range(4):
        moved = atoms.copy()
        moved.rattle(0.05, seed=seed)
        used.calculate(moved, ["forces"])
    fresh.calculate(moved, ["forces"])
    assert used.results["forces"].tobytes() == fresh.results["forces"].tobytes()
    assert used.results["energy"] == fresh.results["energy"]

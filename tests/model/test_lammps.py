"""Dynamics with LAMMPS on two ranks and a Deep Potential: ASE's numbers, whole runs, kills, the way through AiiDA."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from contextlib import suppress

import numpy as np
import psutil
import pytest
from aiida.engine import run_get_node
from aiida.orm import InstalledCode
from engine_jobs import HELPERS, engine_environment, read_arrays, read_results, run_engine, start_engine
from lammps_jobs import RANKS, alloy, lammps_job

from crucible_engine.wire.schema import RUN_FOLDER, STATE_FILE

pytestmark = [pytest.mark.model, pytest.mark.slow, pytest.mark.long]

TO_KILL = {
    "ensemble": "nvt-nose-hoover-chain",
    "steps": 600,
    "time_step": 2.0,
    "checkpoint_interval": 100,
    "frame_velocities": True,
}
PATIENCE = 300.0


@pytest.fixture(scope="module")
def graph(run_in, tmp_path_factory):
    folder = tmp_path_factory.mktemp("potential")
    made = run_in("deepmd", HELPERS / "lammps_potential.py", folder / "graph.pb", cwd=folder)
    assert made.returncode == 0, made.stderr
    return folder / "graph.pb"


@pytest.fixture(scope="module")
def native(python_of):
    """Return the variables with which LAMMPS starts without TensorFlow's import on each rank."""
    said = subprocess.run(
        [str(python_of("deepmd")), str(HELPERS / "lammps_native.py")], capture_output=True, text=True, check=True
    )
    return json.loads(said.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def report(graph, native, python_of, tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    done = subprocess.run(
        [str(python_of("deepmd")), str(HELPERS / "lammps_comparison.py"), str(graph), str(folder), "report.json"],
        cwd=folder, env=engine_environment(**native, OMP_NUM_THREADS="1"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "report.json").read_text())


@pytest.mark.parametrize(
    "name",
    [
        "supercell", "triclinic", "left-handed", "atoms outside", "an isotope", "a cell smaller than the cutoff",
        "a long supercell",
    ],
)  # fmt: skip
def test_energies_forces_and_stress_are_those_of_ase(report, name):
    found = report["static"][name]
    assert found["energy"] < 1e-12
    assert found["forces"] < 1e-10 * max(found["largest force"], 1.0)
    assert found["stress"] < 1e-10
    assert found["positions"] < 1e-12 and found["cell"] < 1e-12
    assert found["largest force"] > 0.1


def test_the_first_steps_are_those_of_ase_within_rounding(report):
    apart = report["first steps"]
    assert apart["frame_steps_0"] == apart["step"] == 0
    assert apart["final_positions_0"] < 1e-12 and apart["final_velocities_0"] < 1e-13
    assert apart["temperature"] < 1e-9 and apart["conserved_quantity"] < 1e-11 and apart["pressure"] < 1e-10
    assert apart["mean_positions_0"] < 1e-12 and apart["mean_square_displacements_0"] < 1e-12


@pytest.mark.parametrize("ensemble", ["nve", "nvt-nose-hoover-chain", "npt-mtk-isotropic", "npt-mtk"])
def test_what_is_conserved_is_conserved(report, ensemble):
    found = report["ensembles"][ensemble]
    assert found["outcome"] == "stable" and found["rows"] == 101
    assert found["lammps"]["ranks"] == RANKS
    assert abs(found["drift"]) < (1e-5 if ensemble == "nve" else 1e-4)


@pytest.mark.parametrize("ensemble", ["nvt-langevin", "nvt-nose-hoover-chain", "npt-mtk-isotropic", "npt-mtk"])
def test_thermostat_and_barostat_reach_their_targets(report, ensemble):
    found = report["ensembles"][ensemble]
    # 500 steps of 32 atoms: temperatures of independent runs scatter by some 30 K around 300 K.
    assert 220 < found["temperature"] < 380
    smallest, largest = found["volume"]
    if ensemble.startswith("npt"):
        assert abs(found["pressure"]) < 0.5 and largest > smallest + 1
    else:
        assert largest - smallest < 1e-9


@pytest.mark.parametrize(
    ("what", "condition", "words"),
    [
        ("fewer ranks", "package-missing", ["1 rank, not on the 2", "MPI library"]),
        ("no pair style", "package-missing", ["no pair style 'deepmd'", "env create deepmd", "LAMMPS_PLUGIN_PATH"]),
        ("no program", "package-missing", ["CRUCIBLE_LAMMPS", "prepend_text"]),
        ("unknown element", "unsupported-element", ["Au"]),
    ],
)
def test_what_cannot_be_is_said_in_one_line(report, what, condition, words):
    found, message = report["bad"][what]
    assert found == condition and all(word in message for word in words), message
    assert "\n" not in message and len(message) < 500


def descendants(process):
    return psutil.Process(process.pid).children(recursive=True)


def newest(checkpoint):
    """Return when a checkpoint was written; for a moment, while it becomes the previous one, there is none."""
    while True:
        with suppress(FileNotFoundError):
            return checkpoint.stat().st_mtime_ns


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.timeout(3600)
def test_a_run_that_is_killed_goes_on_and_loses_nothing(tmp_path, graph, native, python_of):
    environment = engine_environment(**native, OMP_NUM_THREADS="1")
    python = str(python_of("deepmd"))
    whole = lammps_job(tmp_path / "whole", alloy(), graph, **TO_KILL)
    assert run_engine(whole, python=python, env=environment)["condition"] == "finished"
    folder = lammps_job(tmp_path / "killed", alloy(), graph, **TO_KILL)
    checkpoint = folder / RUN_FOLDER / STATE_FILE

    killed = start_engine(folder, python=python, env=environment)
    wait_for(checkpoint.exists)
    children = descendants(killed)
    killed.kill()
    killed.communicate()
    # LAMMPS ends by itself where nobody asks any more.
    assert not psutil.wait_procs(children, timeout=60)[1]

    for kind in ("asked", "LAMMPS killed"):
        before = newest(checkpoint)
        process = start_engine(folder, python=python, env=environment)
        wait_for(lambda before=before, process=process: newest(checkpoint) > before or process.poll() == 0)
        if process.poll() is None and kind == "asked":
            process.send_signal(signal.SIGTERM)
        elif process.poll() is None:
            for child in descendants(process):
                if child.name() == "lmp":
                    child.send_signal(signal.SIGTERM)
        process.communicate()
        results = read_results(folder)
        print(kind, results["condition"], results["message"], results["summary"].get("steps_done"))
        assert results["condition"] in ("interrupted", "finished"), results["message"]

    results = run_engine(folder, python=python, env=environment)
    assert results["condition"] == "finished", results["message"]
    assert results["summary"]["resumed_from_step"] >= 100
    ours, theirs = read_arrays(folder), read_arrays(whole)
    assert ours["series_0"][:, 0].tolist() == list(range(0, 601, 10))
    assert ours["frame_steps_0"].tolist() == theirs["frame_steps_0"].tolist()
    # LAMMPS promises no bits across a restart; rounding has grown little by then.
    assert np.allclose(ours["series_0"], theirs["series_0"], rtol=1e-6, atol=1e-6)
    assert np.allclose(ours["final_positions_0"], theirs["final_positions_0"], atol=1e-6)
    assert np.allclose(ours["mean_square_displacements_0"], theirs["mean_square_displacements_0"], atol=1e-6)


@pytest.mark.timeout(3600)
def test_the_whole_way_through_aiida(computer, graph, python_of):
    from aiida_crucible.calculations.dynamics.calculation import DynamicsCalculation
    from aiida_crucible.nodes.model import ModelData
    from aiida_crucible.nodes.structures import from_atoms

    code = InstalledCode(computer, str(python_of("deepmd")), label="deepmd").store()
    inputs = {
        "code": code,
        "model": ModelData.get_or_create("deepmd", checkpoint=graph),
        "structure": from_atoms(alloy()),
        "parameters": {"backend": "lammps", "ensemble": "nve", "steps": 100, "frame_forces": True},
    }
    resources = {"num_machines": 1, "num_mpiprocs_per_machine": RANKS, "num_cores_per_mpiproc": 1}
    outputs, node = run_get_node(DynamicsCalculation, **inputs, metadata={"options": {"resources": resources}})
    assert node.is_finished_ok, node.exit_message
    summary = outputs["results"]["summary"]
    assert summary["lammps"]["ranks"] == RANKS
    series = outputs["series"]["replica_0"]
    assert series.get_array("step").tolist() == list(range(0, 101, 10))
    conserved = series.get_array("conserved_quantity")
    assert np.ptp(conserved) < 1e-3 * len(alloy())
    assert outputs["trajectories"]["replica_0"].get_array("forces").shape == (11, 32, 3)
    assert {"in.lammps", "log.lammps"} <= set(outputs["retrieved"].base.repository.list_object_names())
    job = json.loads(node.base.repository.get_object_content("job.json"))
    assert job["ranks"] == RANKS and job["launcher"][-2:] == ["-np", str(RANKS)]

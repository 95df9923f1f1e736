"""The tasks on a real SLURM, beside us and over ssh."""

from __future__ import annotations

import contextlib

import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from daemons import wait_until
from engine_jobs import rattled_copper

from aiida_crucible.calculations.evaluate.calculation import EvaluateCalculation
from aiida_crucible.calculations.relax.calculation import RelaxCalculation
from aiida_crucible.nodes.structures import from_atoms, to_atoms
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain
from crucible_engine.wire.journal import read_journal
from crucible_engine.wire.schema import EVALUATIONS, JOURNAL_FILE


def structures(count):
    return {label.replace("-", "_"): from_atoms(atoms) for label, atoms in rattled_copper(count).items()}


def test_evaluate_and_relax(code, model, options, start, finish):
    inputs = {"code": code, "model": model, "metadata": {"options": options()}}
    frames = structures(3)
    evaluation = start(EvaluateCalculation, structures=frames, **inputs)
    relaxation = start(RelaxCalculation, structures={"copper": from_atoms(bulk("Cu", a=3.7))}, **inputs)
    for node in (evaluation, relaxation):
        finish(node)
        assert node.is_finished_ok, node.exit_message
        assert node.get_job_id()
    for energy, key in zip(evaluation.outputs.properties.get_array("energies"), sorted(frames), strict=True):
        atoms = to_atoms(frames[key])
        atoms.calc = EMT()
        assert energy == pytest.approx(atoms.get_potential_energy(), abs=1e-8)
    assert relaxation.outputs.relaxed.copper.get_cell_volume() == pytest.approx(3.5899**3 / 4, rel=2e-3)


def test_options_reach_the_scheduler(code_over_ssh, model, options, start, finish, slurm):
    chosen = options(
        resources={"num_machines": 1, "num_cores_per_mpiproc": 3},
        max_wallclock_seconds=120,
        queue_name="gpu",
        account="physics",
        prepend_text="echo $CUDA_VISIBLE_DEVICES > visible.txt",
        custom_scheduler_commands="#SBATCH --gres=gpu:1",
        additional_retrieve_list=["visible.txt"],
    )
    inputs = {"code": code_over_ssh, "model": model, "structures": structures(1), "metadata": {"options": chosen}}
    node = finish(start(EvaluateCalculation, **inputs))
    assert node.is_finished_ok, node.exit_message
    job = slurm.describe(node.get_job_id())
    assert job["JobState"] == "COMPLETED"
    assert job["Partition"] == "gpu"
    assert job["Account"] == "physics"
    assert job["TimeLimit"] == "00:02:00"
    assert job["NumCPUs"] == "3"
    assert job["TresPerNode"].endswith("gpu:1")
    assert node.outputs.retrieved.base.repository.get_object_content("visible.txt").strip() == "0"
    assert "#SBATCH --mem=292" in node.base.repository.get_object_content("_aiidasubmit.sh")
    assert node.outputs.results["environment"]["threads"]["count"] == 3


def test_job_that_needs_more_memory_is_told_so(code_beside, model, options, start, finish):
    chosen = options(megabytes=600, seconds=30)
    inputs = {"code": code_beside, "model": model, "structures": structures(1), "metadata": {"options": chosen}}
    node = finish(start(EvaluateCalculation, **inputs))
    assert node.exit_status == 401, node.exit_message
    assert "memory" in node.exit_message


def test_signal_to_the_script_alone_reaches_the_engine(code_over_ssh, model, options, start, finish, slurm, scratch):
    """As a SLURM with cgroups sends its signals, and ``#SBATCH --signal=B:…`` everywhere."""
    chosen = options(seconds=1.0)
    evaluate = {"code": code_over_ssh, "model": model, "structures": structures(12), "metadata": {"options": chosen}}
    before = with_something_done(scratch / "work")
    node = start(EvaluateBaseWorkChain, evaluate=evaluate)
    assert wait_until(lambda: with_something_done(scratch / "work") - before, 120)
    slurm.run("scancel", "--signal=USR1", "--batch", *slurm.running_jobs())
    node = finish(node)
    assert node.is_finished_ok, node.exit_message
    first, second = sorted(node.called, key=lambda job: job.pk)
    assert first.exit_status == 400
    assert "stopped by SIGUSR1" in first.exit_message
    assert second.inputs.restart_from.uuid == first.outputs.retrieved.uuid
    assert 0 < len(first.outputs.properties.get_array("energies")) < 12


def with_something_done(folder):
    """Return the journals below a folder that tell of structures."""
    found = set()
    for path in folder.rglob(JOURNAL_FILE):
        with contextlib.suppress(ValueError, OSError):
            if any(record.kind == EVALUATIONS for record in read_journal(path)[1]):
                found.add(path)
    return found

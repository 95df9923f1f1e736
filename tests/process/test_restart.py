"""Jobs that are killed, run out of memory or do not converge: named, continued, and run once."""

from __future__ import annotations

import numpy as np
import pytest
from aiida.engine import CalcJob, run_get_node
from aiida.orm import CalcJobNode
from aiida.schedulers.plugins.direct import DirectScheduler
from ase.build import bulk
from ase.calculators.emt import EMT
from engine_jobs import HELPERS, rattled_copper

from aiida_crucible.calculations.evaluate.calculation import EvaluateCalculation
from aiida_crucible.calculations.relax.calculation import RelaxCalculation
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import atoms_to_trajectory, from_atoms, to_atoms
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain
from aiida_crucible.workflows.relax.base import RelaxBaseWorkChain

N_FRAMES = 6


@pytest.fixture
def helpers():
    """Return options that let the engine find the calculators of the tests."""
    return {"options": {"environment_variables": {"PYTHONPATH": str(HELPERS)}}}


@pytest.fixture
def mortal(tmp_path):
    """Return a function that gives EMT as a model whose process dies once."""

    def make(call, by="SIGKILL"):
        arguments = {"marker": str(tmp_path / "died"), "call": call, "by": by}
        return ModelData.get_or_create(
            "ase", trust_code=True, settings={"factory": "mortal_calculators:mortal", "arguments": arguments}
        )

    return make


@pytest.fixture(scope="module")
def frames(aiida_profile):
    return atoms_to_trajectory(list(rattled_copper(N_FRAMES).values()))


@pytest.fixture(scope="module")
def undisturbed(code, model, frames):
    """Return the properties of the frames when nobody dies."""
    outputs, _ = run_get_node(EvaluateCalculation, code=code, model=model, trajectory=frames)
    return outputs["properties"]


def jobs_of(node):
    return [called for called in node.called if isinstance(called, CalcJobNode)]


def assert_same(found, wanted):
    assert sorted(found.get_arraynames()) == sorted(wanted.get_arraynames())
    for name in wanted.get_arraynames():
        assert np.array_equal(found.get_array(name), wanted.get_array(name)), name


@pytest.mark.slow
def test_killed_evaluation_is_continued(code, model, frames, mortal, helpers, undisturbed):
    inputs = {"code": code, "model": mortal(4), "trajectory": frames, "metadata": helpers}
    outputs, node = run_get_node(EvaluateBaseWorkChain, evaluate=inputs)
    assert node.is_finished_ok, node.exit_message
    killed, finished = jobs_of(node)
    assert killed.exit_status == EvaluateCalculation.exit_codes.ERROR_INTERRUPTED.status
    assert "SIGKILL" in killed.exit_message
    assert killed.outputs.results["summary"]["n_completed"] == 3
    partial = killed.outputs.properties.get_array("energies")
    assert np.array_equal(partial, undisturbed.get_array("energies")[:3])
    assert finished.outputs.results["summary"]["n_resumed"] == 3
    assert_same(outputs["properties"], undisturbed)
    _, other = run_get_node(EvaluateCalculation, **{**inputs, "model": model}, restart_from=killed.outputs.retrieved)
    assert other.exit_status == EvaluateCalculation.exit_codes.ERROR_INVALID_JOB.status
    assert "was begun by another job" in other.exit_message


@pytest.mark.slow
def test_job_that_was_asked_to_stop(code, frames, mortal, helpers):
    inputs = {"code": code, "model": mortal(1, "SIGTERM"), "trajectory": frames, "metadata": helpers}
    outputs, node = run_get_node(EvaluateCalculation, **inputs)
    assert node.exit_status == EvaluateCalculation.exit_codes.ERROR_INTERRUPTED.status
    assert "SIGTERM" in node.exit_message
    assert outputs["results"]["summary"]["n_completed"] == 0
    assert "properties" not in outputs


@pytest.mark.slow
def test_restart_wants_a_journal(code, model, frames, undisturbed):
    retrieved = undisturbed.creator.outputs.retrieved
    with pytest.raises(ValueError, match=r"restart_from has no journal\.bin: give the `retrieved` output"):
        run_get_node(EvaluateCalculation, code=code, model=model, trajectory=frames, restart_from=retrieved)


@pytest.mark.slow
def test_batch_is_halved_until_it_fits(stand_in, checkpoint_model, frames, undisturbed, monkeypatch):
    def parse_output(self, detailed_job_info=None, stdout=None, stderr=None):
        return CalcJob.exit_codes.ERROR_SCHEDULER_OUT_OF_MEMORY if "Killed" in stderr else None

    monkeypatch.setattr(DirectScheduler, "parse_output", parse_output)
    inputs = {"code": stand_in, "model": checkpoint_model, "trajectory": frames, "parameters": {"batch_size": 8}}
    outputs, node = run_get_node(EvaluateBaseWorkChain, evaluate=inputs)
    assert node.is_finished_ok, node.exit_message
    assert [job.inputs.parameters["batch_size"] for job in jobs_of(node)] == [8, 4, 2]
    assert_same(outputs["properties"], undisturbed)


@pytest.mark.slow
def test_memory_that_holds_no_structure_is_not_tried_again(code, frames, mortal, helpers):
    inputs = {"code": code, "model": mortal(3, "MemoryError"), "trajectory": frames, "metadata": helpers}
    outputs, node = run_get_node(EvaluateBaseWorkChain, evaluate=inputs)
    assert node.exit_status == EvaluateBaseWorkChain.exit_codes.ERROR_UNRECOVERABLE.status
    (job,) = jobs_of(node)
    assert job.exit_status == EvaluateCalculation.exit_codes.ERROR_OUT_OF_MEMORY.status
    assert len(outputs["properties"].get_array("energies")) == 2


@pytest.mark.slow
def test_what_no_restart_mends_stops_at_once(code, frames, helpers):
    settings = {"factory": "faulty_calculators:faulty", "arguments": {"fault": "raise"}}
    model = ModelData.get_or_create("ase", trust_code=True, settings=settings)
    inputs = {"code": code, "model": model, "trajectory": frames, "metadata": helpers}
    outputs, node = run_get_node(EvaluateBaseWorkChain, evaluate=inputs)
    assert node.exit_status == EvaluateBaseWorkChain.exit_codes.ERROR_UNRECOVERABLE.status
    (job,) = jobs_of(node)
    assert job.exit_message in node.exit_message
    assert "LookupError" in node.exit_message
    assert outputs["results"].uuid == job.outputs.results.uuid


@pytest.mark.slow
def test_killed_relaxation_is_continued(code, mortal, helpers):
    atoms = bulk("Cu", cubic=True)
    atoms.positions[0] += (0.1, 0.05, 0)
    inputs = {
        "code": code,
        "structures": {"a": from_atoms(bulk("Cu", a=3.55)), "b": from_atoms(atoms)},
        "parameters": {"cell": "fixed", "keep_symmetry": False, "optimizer": "BFGS"},
    }
    outputs, node = run_get_node(RelaxBaseWorkChain, relax={**inputs, "model": mortal(5), "metadata": helpers})
    assert node.is_finished_ok, node.exit_message
    killed, finished = jobs_of(node)
    assert killed.exit_status == RelaxCalculation.exit_codes.ERROR_INTERRUPTED.status
    assert list(killed.outputs.relaxed) == ["a"]
    assert killed.outputs.results["summary"]["n_completed"] == 1
    assert finished.outputs.results["summary"]["n_resumed"] == 1
    assert outputs["results"]["outcome"] == "converged"
    relaxed = to_atoms(outputs["relaxed"]["b"])
    relaxed.calc = EMT()
    assert np.linalg.norm(relaxed.get_forces(), axis=1).max() < 0.01


@pytest.mark.slow
def test_relaxation_that_did_not_converge_goes_on(code, model):
    atoms = bulk("Cu", cubic=True)
    atoms.positions[0] += (0.1, 0.05, 0)
    structures = {"there": from_atoms(bulk("Cu", a=3.55)), "far": from_atoms(atoms)}
    parameters = {"cell": "fixed", "max_steps": 5, "optimizer": "BFGS", "fmax": 0.02}
    inputs = {"code": code, "model": model, "structures": structures, "parameters": parameters}
    outputs, node = run_get_node(RelaxBaseWorkChain, relax=inputs, max_iterations=10)
    assert node.is_finished_ok, node.exit_message
    first, *_, last = jobs_of(node)
    assert first.exit_status == RelaxCalculation.exit_codes.ERROR_NOT_CONVERGED.status
    assert "'far' did not reach fmax 0.02" in first.exit_message.replace("(first: 'far')", "'far'")
    assert last.inputs.structures.far.uuid == structures["far"].uuid
    assert outputs["results"]["outcome"] == "converged"
    # One job with all the steps says the same, of the origin as of the end.
    whole, _ = run_get_node(RelaxCalculation, **{**inputs, "parameters": {**parameters, "max_steps": 50}})
    assert outputs["results"]["summary"]["structures"] == whole["results"]["summary"]["structures"]
    for name in ("energies", "forces", "stresses"):
        assert np.array_equal(outputs["properties"].get_array(name), whole["properties"].get_array(name))


@pytest.mark.slow
def test_giving_up_keeps_the_last_geometry(code, model):
    atoms = bulk("Cu", cubic=True)
    atoms.positions[0] += (0.1, 0.05, 0)
    inputs = {
        "code": code,
        "model": model,
        "structures": {"far": from_atoms(atoms)},
        "parameters": {"cell": "fixed", "max_steps": 1},
    }
    outputs, node = run_get_node(RelaxBaseWorkChain, relax=inputs, max_iterations=1)
    assert node.exit_status == RelaxBaseWorkChain.exit_codes.ERROR_MAXIMUM_ITERATIONS_EXCEEDED.status
    assert outputs["relaxed"]["far"].uuid == jobs_of(node)[0].outputs.relaxed.far.uuid

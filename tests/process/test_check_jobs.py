"""Jobs parsed again: those that ended badly have their own rules, since some of their files are not kept."""

from __future__ import annotations

import io
import json

import pytest
from aiida.common.links import LinkType
from aiida.orm import CalcJobNode, Dict, FolderData

from aiida_crucible.publishing.checks.numbers import check_jobs
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.schema import Results

PARAMETERS = {"temperatures": [300.0], "steps": 10, "ensemble": "nvt-langevin"}


@pytest.fixture
def ended(code, model, copper):
    """Return a function that makes a job of a task as AiiDA keeps it.

    It takes the task, its parameters, the results that its file has (``None`` for no file), those that its node has,
    and the exit status.
    """

    def make(task, parameters, in_file, in_node, status):
        node = CalcJobNode(computer=code.computer, process_type=f"aiida.calculations:crucible.{task}")
        node.set_option("resources", {"num_machines": 1, "num_mpiprocs_per_machine": 1})
        where = "structure" if task == "dynamics" else "structures__copper"
        inputs = {"code": code, "model": model, "parameters": Dict(parameters).store(), where: copper.store()}
        for label, value in inputs.items():
            node.base.links.add_incoming(value, LinkType.INPUT_CALC, label)
        job = {
            "parameters": validate_parameters(task, parameters),
            "model": {"family": "emt", "name": model.name, "dtype": model.dtype, "settings": model.settings},
        }
        node.base.repository.put_object_from_bytes(json.dumps(job).encode(), "job.json")
        node.store()
        retrieved = FolderData()
        if in_file is not None:
            stream = io.BytesIO(json.dumps(in_file).encode())
            retrieved.base.repository.put_object_from_filelike(stream, "results.json")
        for label, value in {"retrieved": retrieved, "results": Dict(in_node)}.items():
            value.base.links.add_incoming(node, LinkType.CREATE, label)
            value.store()
        node.set_exit_status(status)
        return node

    return make


def results(task, condition, **more):
    return Results(task, condition, "it was ended", **more).to_dict()


def test_a_dynamics_that_was_interrupted(ended):
    """How far its checkpoint was is in no file that is kept."""
    in_file = results("dynamics", "interrupted", peak_memory=100.0)
    in_node = {**in_file, "summary": {"n_replicas": 1, "checkpoint": {"replica": 0, "step": 5}, "replicas": {}}}
    right = check_jobs([ended("dynamics", PARAMETERS, in_file, in_node, 400)])
    assert (right.differences, right.right, dict(right.unchecked)) == ([], 2, {})
    wrong = check_jobs([ended("dynamics", PARAMETERS, in_file, {**in_node, "peak_memory": 101.0}, 400)])
    (line,) = wrong.differences
    assert "peak_memory: stored 101.0, made anew 100.0" in line


def test_a_job_without_results_of_its_own(ended):
    in_node = results("relax", "interrupted")
    found = check_jobs([ended("relax", {}, None, in_node, 400)])
    assert not found.differences
    assert dict(found.unchecked) == {"results of jobs that wrote none": 1}


@pytest.mark.parametrize(("condition", "status"), [("interrupted", 0), ("finished", 400)])
def test_a_status_that_the_files_do_not_bear_out(ended, model, condition, status):
    in_file = results("verify", condition, outcome="passed", model={"sha256": model.sha256})
    found = check_jobs([ended("verify", {}, in_file, in_file, status)])
    (line,) = [each for each in found.differences if "exit status" in each]
    assert f"its exit status is {status}, its files say" in line

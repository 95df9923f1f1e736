"""Dynamics that are cut short go on from their checkpoints, as often as that takes, and end with the same bits."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from aiida.orm import CalcJobNode, Int
from ase.build import bulk
from engine_jobs import HELPERS

from aiida_crucible.calculations.dynamics.calculation import DynamicsCalculation
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms, to_atoms
from aiida_crucible.workflows.dynamics.base import DynamicsBaseWorkChain

PARAMETERS = {
    "ensemble": "npt-melchionna",
    "temperatures": [300.0, 500.0],
    "steps": 10,
    "time_step": 2.0,
    "series_interval": 2,
    "frame_interval": 3,
    "checkpoint_interval": 4,
    "average_from": 0.2,
}
INTERRUPTED = DynamicsCalculation.exit_codes.ERROR_INTERRUPTED.status
EXIT_CODES = DynamicsBaseWorkChain.exit_codes


@pytest.fixture(scope="module")
def crystal(profile):
    return from_atoms(bulk("Cu", cubic=True)).store()


@pytest.fixture(scope="module")
def undisturbed(inputs):
    """Return the outputs of a run that nobody cuts short."""
    outputs, node = run_get_node(DynamicsCalculation, **inputs(10_000))
    assert node.is_finished_ok, node.exit_message
    return outputs


@pytest.fixture(scope="module")
def inputs(code, crystal):
    """Return a function that gives the inputs of a run whose every process ends itself at a calculation."""

    def make(calls, by="SIGKILL"):
        settings = {"factory": "short_lived_calculators:short_lived", "arguments": {"calls": calls, "by": by}}
        return {
            "code": code,
            "model": ModelData.get_or_create("ase", trust_code=True, settings=settings),
            "structure": crystal,
            "parameters": PARAMETERS,
            "metadata": {"options": {"environment_variables": {"PYTHONPATH": str(HELPERS)}}},
        }

    return make


def jobs_of(node):
    return [called for called in node.called if isinstance(called, CalcJobNode)]


def assert_same(found, wanted):
    """Check that two runs have the same outputs to the last bit."""
    for namespace in ("trajectories", "series", "averages"):
        assert sorted(found[namespace]) == sorted(wanted[namespace])
        for label, node in wanted[namespace].items():
            assert sorted(found[namespace][label].get_arraynames()) == sorted(node.get_arraynames())
            for name in node.get_arraynames():
                array, other = node.get_array(name), found[namespace][label].get_array(name)
                assert array.tobytes() == other.tobytes(), f"{namespace}.{label}.{name}"
    for label, structure in wanted["final"].items():
        assert np.array_equal(to_atoms(found["final"][label]).positions, to_atoms(structure).positions)


@pytest.mark.slow
@pytest.mark.parametrize("by", ["SIGKILL", pytest.param("SIGTERM", marks=pytest.mark.long)])
def test_many_allocations_give_the_same_bits(by, inputs, undisturbed):
    """There are more jobs than `max_iterations`, which each get at least one checkpoint further."""
    outputs, node = run_get_node(DynamicsBaseWorkChain, dynamics=inputs(9, by), max_iterations=Int(1))
    assert node.is_finished_ok, node.exit_message
    jobs = jobs_of(node)
    assert len(jobs) >= 4
    assert [job.exit_status for job in jobs] == [INTERRUPTED] * (len(jobs) - 1) + [0]
    reached = [job.outputs.results["summary"]["checkpoint"] for job in jobs[:-1]]
    assert sorted(reached, key=lambda place: (place["replica"], place["step"])) == reached
    assert outputs["results"]["summary"]["resumed_from_step"] > 0
    assert_same(outputs, undisturbed)
    assert [job.outputs.remote_folder.is_cleaned for job in jobs] == [True] * (len(jobs) - 1) + [False]
    for job, follower in pairwise(jobs):
        assert follower.inputs.restart_from.uuid == job.outputs.remote_folder.uuid


@pytest.mark.slow
def test_a_job_is_continued_by_hand(inputs, undisturbed):
    outputs, killed = run_get_node(DynamicsCalculation, **inputs(8))
    assert killed.exit_status == INTERRUPTED
    assert "`remote_folder`" in killed.exit_message
    assert outputs["results"]["summary"]["checkpoint"] == {"replica": 0, "step": 4}
    series, wanted = outputs["series"]["replica_0"], undisturbed["series"]["replica_0"]
    rows = len(series.get_array("step"))
    assert series.get_array("step").tolist() == list(range(0, 5, 2))
    assert np.array_equal(series.get_array("temperature"), wanted.get_array("temperature")[:rows])
    assert "trajectories" not in outputs


@pytest.mark.slow
def test_jobs_that_reach_no_checkpoint_are_counted(inputs):
    outputs, node = run_get_node(DynamicsBaseWorkChain, dynamics=inputs(3), max_iterations=Int(2))
    assert node.exit_status == EXIT_CODES.ERROR_MAXIMUM_ITERATIONS_EXCEEDED.status
    assert [job.exit_status for job in jobs_of(node)] == [INTERRUPTED] * 2
    assert "restart_from" not in jobs_of(node)[1].inputs
    assert outputs["results"]["summary"]["checkpoint"] is None


@pytest.mark.long
@pytest.mark.slow
def test_a_checkpoint_that_the_computer_has_lost(inputs, undisturbed, monkeypatch):
    """AiiDA's cache leads to a checkpoint that is gone: the run begins anew, without the cache."""
    # The calculator that dies in time is code of the tests' own, for which the cache would never answer.
    monkeypatch.setattr(DynamicsCalculation, "ran_code_of_the_users", staticmethod(lambda node: False))
    nothing = DynamicsCalculation.exit_codes.ERROR_NOTHING_TO_CONTINUE.status
    _, node = run_get_node(DynamicsBaseWorkChain, dynamics=inputs(17))
    first, last = jobs_of(node)
    with enable_caching():
        outputs, node = run_get_node(DynamicsBaseWorkChain, dynamics=inputs(17))
        assert [job.base.caching.get_cache_source() for job in jobs_of(node)] == [first.uuid, last.uuid]
        assert_same(outputs, undisturbed)
        last.base.caching.is_valid_cache = False
        for job in jobs_of(node):
            job.base.caching.is_valid_cache = job.exit_status == INTERRUPTED
        outputs, node = run_get_node(DynamicsBaseWorkChain, dynamics=inputs(17))
    assert node.is_finished_ok, node.exit_message
    jobs = jobs_of(node)
    assert [job.exit_status for job in jobs] == [INTERRUPTED, nothing, INTERRUPTED, 0]
    assert [job.base.caching.is_created_from_cache for job in jobs] == [True, False, False, False]
    assert_same(outputs, undisturbed)


@pytest.mark.slow
def test_a_lost_checkpoint_of_the_users_is_no_reason_to_begin_anew(inputs, localhost):
    from aiida.orm import RemoteData

    folder = RemoteData("/nowhere", computer=localhost).store()
    _, node = run_get_node(DynamicsBaseWorkChain, dynamics={**inputs(50), "restart_from": folder})
    assert node.exit_status == EXIT_CODES.ERROR_UNRECOVERABLE.status
    assert "has no checkpoint in /nowhere/run" in node.exit_message
    assert len(jobs_of(node)) == 1

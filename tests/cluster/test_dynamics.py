"""Molecular dynamics that outlives its allocations and the daemon, on a real SLURM, beside us and over ssh."""

from __future__ import annotations

from itertools import pairwise

import pytest
from aiida.orm import Dict
from daemons import wait_until
from dynamics_runs import gold_copper

from aiida_crucible.calculations.dynamics.calculation import DynamicsCalculation
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.workflows.dynamics.base import DynamicsBaseWorkChain

SECONDS_A_STEP = 0.5
WALLTIME = 45
"""Seconds that the jobs know of: three of them come to the end."""
PARAMETERS = {
    "ensemble": "npt-melchionna",
    "temperatures": [300.0, 500.0],
    "steps": 105,
    "time_step": 2.0,
    "series_interval": 3,
    "frame_interval": 4,
    "frame_velocities": True,
    # Never in the middle of a run: what is not lost was saved when the job was told to end.
    "checkpoint_interval": 100_000,
    "checkpoint_seconds": 10_000.0,
}
PLACES = ("beside", "over_ssh")


@pytest.fixture(scope="module")
def runs(request, model, options, start, finish, slurm, command):
    """Return a run in many allocations and one that nobody disturbed, at each place.

    Beside us the jobs know their walltime. Over ssh they do not, and SLURM ends them by the limit of their partition.
    While they run the daemon is stopped, and started when they have ended.
    """
    limits = {
        "beside": {"max_wallclock_seconds": WALLTIME},
        "over_ssh": {"max_wallclock_seconds": None, "queue_name": "short"},
    }
    cut, whole = {}, {}
    inputs = {"model": model, "structure": from_atoms(gold_copper(2)["CuAu"]), "parameters": Dict(PARAMETERS)}
    for place in PLACES:
        code = request.getfixturevalue(f"code_{place}")
        chosen = options(seconds=SECONDS_A_STEP, **limits[place])
        dynamics = {**inputs, "code": code, "metadata": {"options": chosen}}
        cut[place] = start(DynamicsBaseWorkChain, dynamics=dynamics)
    assert wait_until(lambda: len(slurm.running_jobs()) == len(PLACES), 120, 0.5)
    command("verdi", "daemon", "stop", "--timeout", "60")
    assert wait_until(lambda: not slurm.jobs(), 180, 0.5)
    command("verdi", "daemon", "start", "--timeout", "60")
    for place in PLACES:
        code = request.getfixturevalue(f"code_{place}")
        node = start(DynamicsCalculation, code=code, metadata={"options": options()}, **inputs)
        whole[place] = finish(node)
    return {place: (finish(cut[place], 600), whole[place]) for place in PLACES}


@pytest.mark.parametrize("place", PLACES)
def test_run_in_many_allocations_is_the_uninterrupted_one(runs, place):
    cut, whole = runs[place]
    for node in (cut, whole):
        assert node.is_finished_ok, node.exit_message
    for namespace in ("series", "trajectories", "averages"):
        labels = ["replica_0", "replica_1"]
        assert sorted(cut.outputs[namespace]) == sorted(whole.outputs[namespace]) == labels
        for label in labels:
            found, wanted = cut.outputs[namespace][label], whole.outputs[namespace][label]
            assert sorted(found.get_arraynames()) == sorted(wanted.get_arraynames())
            for name in wanted.get_arraynames():
                assert found.get_array(name).tobytes() == wanted.get_array(name).tobytes(), (namespace, label, name)
    for label in labels:
        assert cut.outputs.final[label].base.attributes.all == whole.outputs.final[label].base.attributes.all
    assert cut.outputs.results["summary"]["n_completed"] == 2


def test_jobs_that_know_their_walltime_stop_by_themselves(runs):
    jobs = jobs_of(runs["beside"][0])
    assert len(jobs) >= 3
    assert [job.exit_status for job in jobs] == [400] * (len(jobs) - 1) + [0]
    assert all(f"by itself before its walltime of {WALLTIME} s" in job.exit_message for job in jobs[:-1])
    assert no_step_was_repeated(jobs)


def test_jobs_that_slurm_ends_save_their_state_first(runs):
    jobs = jobs_of(runs["over_ssh"][0])
    assert len(jobs) >= 2
    assert [job.exit_status for job in jobs] == [402] * (len(jobs) - 1) + [0]
    assert no_step_was_repeated(jobs)


def jobs_of(workchain):
    return sorted(workchain.called, key=lambda node: node.pk)


def no_step_was_repeated(jobs):
    """Return whether each job resumed at the step that the one before had done last."""
    summaries = [job.outputs.results["summary"] for job in jobs]
    return all(later["resumed_from_step"] == earlier["steps_done"] > 0 for earlier, later in pairwise(summaries))

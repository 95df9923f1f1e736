"""What is still to come of a WorkChain, and how long it takes together."""

from __future__ import annotations

import pytest
from aiida.common.links import LinkType
from aiida.orm import CalcJobNode, Dict, WorkChainNode
from plumpy import ProcessState

from aiida_crucible.monitoring.outlook import planned_jobs, seconds_left
from aiida_crucible.monitoring.progress import JobStatus
from aiida_crucible.monitoring.tree import Tree, snapshots

SETTINGS = {"temperatures": [300, 400, 500, 600], "supercell_matrix": [2, 2, 2]}


@pytest.fixture
def chain(profile):
    """Return a function that makes a WorkChain that waits."""

    def make(kind, caller=None, **inputs):
        node = WorkChainNode(process_type=f"aiida.workflows:crucible.{kind}")
        for label, value in inputs.items():
            node.base.links.add_incoming(value.store(), LinkType.INPUT_WORK, label)
        if caller is not None:
            node.base.links.add_incoming(caller, LinkType.CALL_WORK, f"CALL_{kind.replace(chr(46), chr(95))}")
        node.set_process_state(ProcessState.WAITING)
        return node.store()

    return make


def status(task, seconds_of_rest=None, done=None, rate=None):
    node = CalcJobNode(process_type=f"aiida.calculations:crucible.{task}")
    node.set_process_state(ProcessState.WAITING)
    line = None if done is None else {"done": done, "total": 1000, "rate": rate, "eta": seconds_of_rest}
    (job,) = snapshots([node.store().pk])
    return JobStatus(job, "running", line)


def begin_job(caller, task):
    node = CalcJobNode(process_type=f"aiida.calculations:crucible.{task}")
    node.base.links.add_incoming(caller, LinkType.CALL_CALC, "iteration_01")
    node.set_process_state(ProcessState.WAITING)
    node.store()


def names(node):
    return [each.what for each in planned_jobs(Tree(node))]


def test_the_whole_is_known_before_anything_has_begun(chain):
    node = chain("reliability", structure=Dict(), sweep__parameters=Dict(SETTINGS))
    assert names(node) == [
        "verification, unless it is found",
        "relaxation",
        "phonons",
        *[f"dynamics {temperature} K" for temperature in (300, 400, 500, 600)],
    ]
    assert names(chain("reliability", structure=Dict(), verification=Dict())) == ["relaxation", "phonons"]


def test_what_was_begun_is_not_still_to_come(chain):
    node = chain("reliability", verification=Dict(), sweep__parameters=Dict(SETTINGS))
    begin_job(chain("relax.base", node), "relax")
    chain("phonon", node, verification=Dict())
    sweep = chain("sweep", node, verification=Dict(), parameters=Dict(SETTINGS))
    begin_job(chain("dynamics.base", sweep), "dynamics")
    assert names(node) == ["phonons", "dynamics 400 K", "dynamics 500 K", "dynamics 600 K"]
    assert names(sweep) == ["dynamics 400 K", "dynamics 500 K", "dynamics 600 K"]


def test_what_has_begun_and_has_no_job_yet_is_still_to_come(chain):
    sweep = chain("sweep", verification=Dict(), parameters=Dict({**SETTINGS, "temperatures": [300]}))
    run = chain("dynamics.base", sweep)
    run.label = "Cu · emt · fast · T300"
    planned = planned_jobs(Tree(sweep))
    assert [each.what for each in planned] == ["dynamics 300 K"]
    assert seconds_left(planned, []) is None  # and not nothing at all
    begin_job(run, "dynamics")
    assert names(sweep) == []


def test_of_what_has_ended_nothing_is_to_come(chain):
    node = chain("reliability")
    node.set_process_state(ProcessState.FINISHED)
    assert names(node) == []
    assert names(chain("relax")) == []


def test_how_long_it_takes_together(chain):
    sweep = chain(
        "sweep", verification=Dict(), parameters=Dict({**SETTINGS, "temperatures": list(range(300, 1200, 100))})
    )
    for name in ("one", "two"):
        child = WorkChainNode(process_type="aiida.workflows:crucible.dynamics.base")
        child.base.links.add_incoming(sweep, LinkType.CALL_WORK, name)
        child.store()
        begin_job(child, "dynamics")
    planned = planned_jobs(Tree(sweep))
    assert len(planned) == 7
    running = [status("dynamics", 60.0, done=400, rate=10.0), status("dynamics", 50.0, done=500, rate=10.0)]
    # The two that run end in 60 s; seven more, two at once, take four rounds of 100 s.
    assert seconds_left(planned, running) == pytest.approx(60.0 + 4 * 100.0)
    # One that waits in a queue is the eighth to come; a task of which nothing has run yet is not known.
    assert seconds_left(planned, [*running, status("dynamics")]) == pytest.approx(60.0 + 4 * 100.0)
    assert seconds_left(planned, [*running, status("dynamics"), status("dynamics")]) == pytest.approx(60.0 + 5 * 100.0)
    assert seconds_left(planned, [*running, status("relax")]) is None
    assert seconds_left(planned, []) is None
    assert seconds_left([], running) == pytest.approx(60.0)

"""The monitor ends what is hopeless and nothing else; what was computed by then is kept."""

from __future__ import annotations

import json
import os
import time

import pytest
from aiida.common.links import LinkType
from aiida.engine import run_get_node
from aiida.orm import CalcJobNode, Dict, Int
from aiida.plugins import BaseFactory
from aiida.schedulers.plugins.direct import DirectScheduler
from ase.build import bulk
from engine_jobs import HELPERS

from aiida_crucible.calculations.dynamics import monitor as monitors
from aiida_crucible.calculations.dynamics.monitor import GRACE, STOPPED_KEY, dynamics_monitor
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.workflows.dynamics.base import DynamicsBaseWorkChain

LINE = {
    "done": 300,
    "total": 10000,
    "rate": 5.0,
    "replica": "replica_0",
    "step": 300,
    "temperature": 310.0,
    "outcome": "stable",
}


@pytest.fixture
def look(localhost, tmp_path, monkeypatch):
    """Return a function that lets the monitor look at a running job, and the list of jobs that it has ended."""
    killed = []
    monkeypatch.setattr(DirectScheduler, "kill_job", lambda _, job: killed.append(job))
    node = CalcJobNode(computer=localhost, process_type="aiida.calculations:crucible.dynamics")
    node.set_option("max_wallclock_seconds", 600)
    node.set_job_id("17")
    node.set_remote_workdir(str(tmp_path))
    (tmp_path / "stdout.txt").touch()
    os.utime(tmp_path / "stdout.txt", (time.time() - 300,) * 2)

    def run(line=None, parameters=None, **settings):
        if not node.is_stored:
            values = Dict(parameters or {"on_failure": "continue"}).store()
            node.base.links.add_incoming(values, link_type=LinkType.INPUT_CALC, link_label="parameters")
            node.store()
        if line is not None:
            (tmp_path / "progress.jsonl").write_text(json.dumps({"time": time.time(), **LINE, **line}) + "\n")
        with localhost.get_transport() as transport:
            result = dynamics_monitor(node, transport, **settings)
        return result, killed, node

    return run


@pytest.mark.parametrize(
    ("line", "settings", "message"),
    [
        ({"outcome": "melted"}, {}, "replica replica_0 is melted at step 300"),
        ({"outcome": "diffusive"}, {"outcomes": ["diffusive"]}, "is diffusive"),
        ({"temperature": 1300.4}, {"highest_temperature": 1200}, "is at 1300 K, above 1200 K, at step 300"),
        ({}, {"allocations": 3}, "9700 steps at 5 a second need 4 more allocations of 600 s, where 3 are allowed"),
    ],
)
def test_hopeless_jobs_are_asked_to_stop_once(line, settings, message, look):
    result, killed, node = look(line, **settings)
    assert (result, killed) == (None, ["17"])
    assert message in node.base.extras.get(STOPPED_KEY)["message"]
    assert look(line, **settings)[:2] == (None, ["17"])
    node.base.extras.set(STOPPED_KEY, {**node.base.extras.get(STOPPED_KEY), "time": time.time() - GRACE - 1})
    assert message in look(line, **settings)[0].message


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        ({}, {}),
        ({"outcome": "diffusive"}, {}),
        ({"temperature": 1300.0}, {}),
        ({"temperature": None}, {"highest_temperature": 1200}),
        ({"time": time.time() - 9000}, {"idle_minutes": 30}),
        ({"time": time.time() + 9000}, {"idle_minutes": 30}),
        ({}, {"allocations": 4}),
        ({"rate": None}, {"allocations": 1}),
        (None, {"idle_minutes": 4}),
    ],
)
def test_others_are_left_alone(line, settings, look):
    result, killed, node = look(line, **settings)
    assert (result, killed) == (None, [])
    assert STOPPED_KEY not in node.base.extras.all


@pytest.fixture
def clock(monkeypatch):
    """Return a function that lets this machine's clock go on, and nobody else's."""
    now = [time.time()]
    monkeypatch.setattr(monitors.time, "time", lambda: now[0])

    def go_on(minutes):
        now[0] += 60 * minutes

    return go_on


@pytest.mark.parametrize("ahead", [-7200, 0, 7200])
@pytest.mark.parametrize("line", [{}, None])
def test_idle_is_what_does_not_change_whatever_the_computers_clock_says(line, ahead, look, clock):
    written = None if line is None else {"time": 1.8e9 + ahead}
    assert look(written, idle_minutes=30)[1] == []
    clock(29)
    assert look(written, idle_minutes=30)[1] == []
    clock(2)
    _, killed, node = look(written, idle_minutes=30)
    assert killed == ["17"]
    assert node.base.extras.get(STOPPED_KEY)["message"] == "no progress for 31 minutes"


@pytest.mark.parametrize("ahead", [-7200, 7200])
def test_a_job_that_goes_on_is_not_idle(ahead, look, clock):
    for step in range(4):
        assert look({"time": 1.8e9 + ahead, "done": 300 + step}, idle_minutes=30)[1] == []
        clock(29)
    assert look({"time": 1.8e9 + ahead, "done": 303}, idle_minutes=None)[1] == []
    clock(2)
    assert look({"time": 1.8e9 + ahead, "done": 10000}, idle_minutes=30)[1] == []
    clock(60)
    assert look({"time": 1.8e9 + ahead, "done": 10000}, idle_minutes=30)[1] == [], "all of its steps are done"


def test_engine_that_goes_on_to_the_next_replica_is_left_alone(look):
    assert look({"outcome": "melted"}, {"on_failure": "stop"})[1] == []


def test_speed_of_the_first_minute_says_nothing(look, tmp_path):
    os.utime(tmp_path / "stdout.txt")
    assert look({}, allocations=1)[1] == []


def test_entry_point():
    assert BaseFactory("aiida.calculations.monitors", "crucible.dynamics_monitor") is monitors.dynamics_monitor


@pytest.mark.slow
def test_stopped_job_keeps_its_result_and_is_not_restarted(code):
    settings = {"factory": "short_lived_calculators:slow", "arguments": {"seconds": 0.05}}
    monitor = {"entry_point": "crucible.dynamics_monitor", "kwargs": {"highest_temperature": 1.0}}
    inputs = {
        "code": code,
        "model": ModelData.get_or_create("ase", trust_code=True, settings=settings),
        "structure": from_atoms(bulk("Cu", cubic=True) * (2, 1, 1)),
        "parameters": {"steps": 100_000, "series_interval": 1, "checkpoint_interval": 2},
        "monitors": {"hopeless": Dict(monitor)},
        "metadata": {"options": {"environment_variables": {"PYTHONPATH": str(HELPERS)}}},
    }
    outputs, node = run_get_node(DynamicsBaseWorkChain, dynamics=inputs, max_iterations=Int(3))
    assert node.exit_status == DynamicsBaseWorkChain.exit_codes.ERROR_UNRECOVERABLE.status
    (job,) = [called for called in node.called if isinstance(called, CalcJobNode)]
    assert job.exit_status == job.process_class.exit_codes.STOPPED_BY_MONITOR.status
    assert "above 1 K" in job.exit_message
    assert job.exit_message in node.exit_message
    assert outputs["results"]["condition"] == "interrupted"
    assert outputs["results"]["summary"]["checkpoint"]["step"] > 0
    assert len(outputs["series"]["replica_0"].get_array("step")) > 1

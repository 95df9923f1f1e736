"""A job that is to be ended, and has ended by itself in the meantime, is no failure; one that goes on is."""

import asyncio
import contextlib
from types import SimpleNamespace

import pytest
from aiida.schedulers.datastructures import JobState

from aiida_crucible.monitoring import foreground


def end(monkeypatch, states):
    """End a job whose kill fails; the scheduler says these states of it in turn, ``None`` if it has it not."""
    said, killed = iter(states), []

    def fail(node, transport):
        raise RuntimeError("no such job")

    def jobs(jobs, as_dict):
        state = next(said)
        return {} if state is None else {jobs[0]: SimpleNamespace(job_state=state)}

    @contextlib.asynccontextmanager
    async def request(authinfo):
        transport = asyncio.get_running_loop().create_future()
        transport.set_result(None)
        yield transport

    monkeypatch.setattr(foreground, "kill_calculation", fail)
    monkeypatch.setattr(foreground, "kill_process", lambda process, reason: killed.append(reason))
    scheduler = SimpleNamespace(set_transport=lambda transport: None, get_jobs=jobs)
    computer = SimpleNamespace(get_scheduler=lambda: scheduler)
    node = SimpleNamespace(get_authinfo=lambda: None, computer=computer, get_job_id=lambda: "12")
    runner = SimpleNamespace(transport=SimpleNamespace(request_transport=request))
    asyncio.run(foreground._end_on_computer(SimpleNamespace(node=node, runner=runner), "SIGINT"))
    return killed


@pytest.mark.parametrize("gone", [None, JobState.DONE])
def test_a_job_that_ended_by_itself_is_ended(monkeypatch, gone):
    assert end(monkeypatch, [gone, gone]) == ["SIGINT"]


def test_a_job_that_goes_on_is_told(monkeypatch):
    with pytest.raises(RuntimeError, match="no such job"):
        end(monkeypatch, [JobState.RUNNING])

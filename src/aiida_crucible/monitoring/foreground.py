"""Runs in the interpreter that calls ``run_get_node``: no job of theirs outlives them.

AiiDA itself kills the process that was launched and no other: what that one had called, jobs on computers among it,
goes on with nobody to watch, and ``verdi process kill`` does not reach what is in no daemon. Here a signal that asks
the interpreter to end (Ctrl-C, SIGTERM, SIGHUP of a closed terminal) ends the jobs and all processes of the run. A
process that ends early for another reason takes with it what it had called.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any
from weakref import WeakKeyDictionary

from aiida.common.datastructures import CalcJobState
from aiida.engine import Process
from aiida.orm import CalcJobNode
from aiida.schedulers import Scheduler
from aiida.schedulers.datastructures import JobState

from aiida_crucible.compat.aiida_engine import callers_now, kill_calculation, kill_process
from aiida_crucible.monitoring.words import title_of
from aiida_crucible.nodes.identity import name_process, name_results
from crucible_engine.wire.rules import first_line

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

SUBMISSION_GRACE = 60.0
"""Seconds in which a job that is being submitted gets its number: a connection may have to be opened for it."""

EXIT_GRACE = 60.0
"""Seconds in which a job that was told to end may write what it has."""

LOOK_INTERVAL = 0.25
"""Seconds between two looks at whether something has ended."""


class NamesItself(Process):
    """A process whose node says from its beginning what it is about, and whose results say so at its end."""

    def on_create(self) -> None:
        """Make the node, and give it its label and extras."""
        super().on_create()
        name_process(self.node, self.inputs or {})

    def on_terminated(self) -> None:
        """End, and give what came of it labels and extras as well."""
        super().on_terminated()
        try:
            name_results(self.node)
        except Exception as error:  # what was computed is worth more than its labels
            self.logger.warning(f"the results have no labels: {first_line(error)}")


class EndsItsJobs(NamesItself):
    """A process that leaves nothing running behind it in the foreground; in a daemon all goes on by itself."""

    async def step_until_terminated(self) -> None:
        """Run; return only when whatever this process had called has ended as well."""
        if self.runner.is_daemon_runner:
            await super().step_until_terminated()
            return
        run = _RUNS.setdefault(self.loop, _Run(self.loop))
        async with run.stepping(self):
            await super().step_until_terminated()


class _Run:
    """The processes of this package that one event loop steps in the foreground, and who called them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._processes: dict[int, Process] = {}
        self._callers: dict[int, list[Process]] = {}
        self._previous: dict[signal.Signals, Any] = {}
        self._told: set[int] = set()
        self._ending: asyncio.Task[None] | None = None
        self._is_hurried = False

    @contextlib.asynccontextmanager
    async def stepping(self, process: Process) -> AsyncIterator[None]:
        """Take part while a process is stepped; leave when all that it called has ended."""
        if not self._processes:
            self._listen()
        self._processes[process.pid] = process
        self._callers[process.pid] = callers_now()
        if self._ending is not None:
            kill_process(process, "the run is being interrupted")
        try:
            yield
            called = [other for pk, other in self._processes.items() if process in self._callers[pk]]
            await self._end(called, f"{title_of(process.node)}, which had called it, ended before it")
            if self._ending is not None:
                await asyncio.wait({self._ending})
        finally:
            del self._processes[process.pid], self._callers[process.pid]
            if not self._processes:
                self._stop_listening()

    def _listen(self) -> None:
        for number in SIGNALS:
            previous = signal.getsignal(number)
            # What was started with `nohup` stays deaf, and only the main thread hears.
            if previous not in (signal.SIG_IGN, None):
                with contextlib.suppress(ValueError, RuntimeError):
                    # AiiDA's own handler strikes anywhere; this one waits until the loop is between two steps.
                    self._loop.add_signal_handler(number, self._receive, number)
                    self._previous[number] = previous

    def _stop_listening(self) -> None:
        for number, previous in self._previous.items():
            self._loop.remove_signal_handler(number)
            signal.signal(number, previous)
        self._previous.clear()
        self._told.clear()
        self._ending, self._is_hurried = None, False

    def _receive(self, number: signal.Signals) -> None:
        ask = _ASKED.get(self._loop)
        if self._ending is None and number == signal.SIGINT and ask is not None and not ask():
            return
        if self._ending is None:
            self._ending = self._loop.create_task(self._end_all(number.name))
        else:
            self._is_hurried = True

    async def _end_all(self, reason: str) -> None:
        """End all that runs here, and say what became of it."""
        processes = list(self._processes.values())
        callers = {caller.pid: caller for callers in self._callers.values() for caller in callers}
        others = [caller for pk, caller in callers.items() if pk not in self._processes]
        n_jobs = sum(_is_with_scheduler(process) for process in processes)
        _say(f"{reason}: ending {n_jobs} running job{'s' * (n_jobs != 1)} (once more to leave without waiting)")
        for other in others:
            # Somebody else's process would go on as soon as it sees ours ended.
            other.pause()
        running_on = await self._end(processes, f"ended by {reason}")
        for line in running_on:
            _say(f"{reason}: {line}")
        for other in others:
            other.play()
            kill_process(other, f"ended by {reason}")
        top = " ".join(str(process.pid) for process in (*others, *processes) if process.node.caller is None)
        _say(
            f"{reason}: {'the rest has ended' if running_on else 'all has ended'}, see `verdi process status {top}`; "
            "run it again to begin anew: with AiiDA's caching what was finished is found and not computed again"
        )

    async def _end(self, processes: Collection[Process], reason: str) -> list[str]:
        """End processes and their jobs; return one line for each job that may still run."""
        untold = [process for process in processes if process.pid not in self._told]
        self._told.update(process.pid for process in untold)
        for process in untold:
            if not isinstance(process.node, CalcJobNode):
                kill_process(process, reason)
        jobs = [process for process in untold if isinstance(process.node, CalcJobNode)]
        lines = await asyncio.gather(*(self._end_job(process, reason) for process in jobs))
        while not all(process.has_terminated() for process in processes):
            await asyncio.sleep(LOOK_INTERVAL)
        return [line for line in lines if line is not None]

    async def _end_job(self, process: Process, reason: str) -> str | None:
        """End a job on its computer and its process; return one line if it may still run there."""
        node = process.node
        if node.get_state() is CalcJobState.SUBMITTING:
            await self._until(lambda: node.get_job_id() is not None or process.has_terminated(), SUBMISSION_GRACE)
        if not _is_with_scheduler(process):
            kill_process(process, reason)
            return None
        job = f"job {node.get_job_id()} of {title_of(process.node)} on {node.computer.label}"
        ending = self._loop.create_task(_end_on_computer(process, reason))
        await self._until(ending.done, EXIT_GRACE)
        kill_process(process, reason)
        if not ending.done():
            ending.cancel()
            return f"{job} has not ended yet: see there whether it does"
        if (error := ending.exception()) is not None:
            return f"{job} could not be ended ({str(error).strip().splitlines()[-1]}): end it there"
        return None

    async def _until(self, is_true: Callable[[], bool], seconds: float) -> None:
        """Wait for something, but no longer than a time, and not for somebody in a hurry."""
        end = self._loop.time() + seconds
        while not is_true() and not self._is_hurried and self._loop.time() < end:
            await asyncio.sleep(LOOK_INTERVAL)


_RUNS: WeakKeyDictionary[asyncio.AbstractEventLoop, _Run] = WeakKeyDictionary()
_ASKED: WeakKeyDictionary[asyncio.AbstractEventLoop, Callable[[], bool]] = WeakKeyDictionary()


def ask_before_ending(loop: asyncio.AbstractEventLoop, ask: Callable[[], bool]) -> None:
    """Let somebody be asked at Ctrl-C before all that runs in a loop is ended.

    :param ask: returns whether it is to be ended; called between two steps of the loop, and again at the next Ctrl-C.
    """
    _ASKED[loop] = ask


def _is_with_scheduler(process: Process) -> bool:
    """Return whether a process has a job on a computer that may still run."""
    node = process.node
    if not isinstance(node, CalcJobNode) or process.has_terminated() or node.get_job_id() is None:
        return False
    return node.get_state() in (CalcJobState.SUBMITTING, CalcJobState.WITHSCHEDULER)


async def _end_on_computer(process: Process, reason: str) -> None:
    """End a job; return when its scheduler no longer has it.

    :raises Exception: each transport and scheduler has its own.
    """
    node = process.node
    async with process.runner.transport.request_transport(node.get_authinfo()) as request:
        transport = await request
        scheduler = node.computer.get_scheduler()
        scheduler.set_transport(transport)
        try:
            kill_calculation(node, transport)
        except Exception:
            # What ended by itself in the meantime cannot be killed any more, and need not.
            if _has(scheduler, node):
                raise
        # Before its parent sees a failure that it would restart after.
        kill_process(process, reason)
        while _has(scheduler, node):
            await asyncio.sleep(LOOK_INTERVAL)


def _has(scheduler: Scheduler, node: CalcJobNode) -> bool:
    """Return whether a scheduler has a job that has not ended."""
    job = scheduler.get_jobs(jobs=[node.get_job_id()], as_dict=True).get(node.get_job_id())
    return job is not None and job.job_state is not JobState.DONE


def _say(line: str) -> None:
    """Write a line for whoever is there; the terminal may be gone."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"aiida-crucible: {line}\n")
        sys.stderr.flush()

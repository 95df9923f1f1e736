"""What a run in the foreground shows: a line for each finished step and, on a terminal, a view of all of it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aiida.engine.runners import Runner
from aiida.orm import ProcessNode

from aiida_crucible.compat.aiida_orm import CACHED_FROM
from aiida_crucible.monitoring.overview import overview
from aiida_crucible.monitoring.progress import JobStatus, ask, by_computer, look_offline, say_of_all, state_of
from aiida_crucible.monitoring.tree import Snapshot, Tree
from aiida_crucible.nodes.identity import PREFIX
from crucible_engine.wire.rules import first_line

if TYPE_CHECKING:
    from rich.live import Live

HEARTBEAT_INTERVAL = 30.0
"""Seconds of silence after which a line is written where the output is no terminal."""

ASK_INTERVAL = 3.0
"""Seconds between two questions to a computer on how far its jobs are; its connection's own interval adds to it."""

STEPS = {
    "aiida.calculations:crucible.speed": "timing force calls",
    "aiida.calculations:crucible.verify": "verifying the model itself",
    "aiida.calculations:crucible.relax": "relaxing",
    "aiida.calculations:crucible.evaluate": "computing forces",
    "aiida.calculations:crucible.dynamics": "molecular dynamics",
    "aiida.calculations:crucible.train": "training",
}


class Display:
    """Shows how far processes are.

    :param to_stderr: whether on the standard error.
    """

    def __init__(self, to_stderr: bool = False) -> None:
        self.known: dict[int, JobStatus] = {}
        """How far jobs are, by their PK, as far as their computers were asked."""
        self._stream = sys.stderr if to_stderr else sys.stdout
        self.is_terminal = self._stream.isatty()
        self._start = self._last = time.monotonic()
        self._told: set[int] = set()
        self._live: Live | None = None

    def __enter__(self) -> Display:
        """Begin to show."""
        if self.is_terminal:
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self._stream, highlight=False)
            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the lines of what was done, and take away the view."""
        if self._live is not None:
            self._live.stop()

    def paused(self, action: Callable[[], Any]) -> Any:
        """Return what an action returns that needs the terminal for itself."""
        if self._live is None:
            return action()
        self._live.stop()
        try:
            return action()
        finally:
            self._live.start()

    def update(self, nodes: Mapping[str, ProcessNode]) -> None:
        """Write what is new."""
        trees = {name: Tree(node) for name, node in nodes.items()}
        running = []
        for name, tree in trees.items():
            for job in (each for each in tree.processes if each.is_job):
                if not job.is_terminated:
                    running.append(f"{name}: {_step(job)}")
                elif job.pk not in self._told:
                    self._told.add(job.pk)
                    self._write(f"{name:<20} {_step(job)}: {_result(job)}")
        if self._live is not None:
            self._draw(trees)
        elif running and time.monotonic() - self._last > HEARTBEAT_INTERVAL:
            self._write(f"… {' | '.join(running)}")

    def _draw(self, trees: Mapping[str, Tree]) -> None:
        from rich.console import Group

        from aiida_crucible.report.terminal import view

        shown = []
        for tree in trees.values():
            found = overview(tree, [self._status(job) for job in tree.current_jobs()])
            shown.append(view(found.told, found.header, found.rows, found.notes))
        if self._live is not None:
            self._live.update(Group(*shown), refresh=True)

    def _status(self, job: Snapshot) -> JobStatus:
        """Return how far a job is, by what its computer has said last."""
        known = self.known.get(job.pk)
        if known is None:
            return JobStatus(job, state_of(job))
        return JobStatus(job, state_of(job), known.line, None if job.is_terminated else known.checkpoint_age)

    def _write(self, line: str) -> None:
        text = f"{time.monotonic() - self._start:5.0f} s  {line}"
        if self._live is not None:
            self._live.console.print(text, markup=False)
        else:
            print(text, file=self._stream, flush=True)
        self._last = time.monotonic()


async def ask_for_progress(nodes: Mapping[str, ProcessNode], known: dict[int, JobStatus], runner: Runner) -> None:
    """Ask the computers on and on how far their running jobs are, by the connections that AiiDA itself has open.

    :param known: gets the answers, by the jobs' PKs.
    """
    while True:
        jobs = [job for node in nodes.values() for job in Tree(node).current_jobs()]
        for there in by_computer(look_offline([job for job in jobs if not job.is_terminated]).values()):
            try:
                async with runner.transport.request_transport(there[0].node.get_authinfo()) as request:
                    known |= ask(await request, there)
            except Exception as error:  # each transport has its own
                known |= say_of_all(there, first_line(error))
        await asyncio.sleep(ASK_INTERVAL)


def _step(job: Snapshot) -> str:
    step = STEPS.get(str(job.process_type), job.attributes.get("process_label"))
    temperatures = job.extras.get(f"{PREFIX}temperatures")
    return f"{step} at {' and '.join(f'{value:g}' for value in temperatures)} K" if temperatures else str(step)


def _result(job: Snapshot) -> str:
    if job.extras.get(CACHED_FROM):
        return "found in the cache"
    if job.exit_status == 0:
        return f"{(job.mtime - job.ctime).total_seconds():.0f} s"
    return f"ended with exit code {job.exit_status}, see `verdi process report {job.pk}`"

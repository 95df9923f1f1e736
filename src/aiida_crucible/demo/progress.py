"""Runs several WorkChains at the same time in this process, and says which step of which is under way."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Collection, Iterator, Mapping

import click
from aiida.engine import ProcessBuilder
from aiida.manage import get_manager
from aiida.orm import CalcJobNode, ProcessNode, WorkChainNode

LOOK_INTERVAL = 1.0
"""Seconds between two looks at the running processes."""

HEARTBEAT_INTERVAL = 30.0
"""Seconds of silence after which a line is written where the output is no terminal."""

STEPS = {
    "aiida.calculations:crucible.verify": "verifying the model itself",
    "aiida.calculations:crucible.relax": "relaxing",
    "aiida.calculations:crucible.evaluate": "computing the forces of the displaced supercells",
    "aiida.calculations:crucible.dynamics": "molecular dynamics",
}


def run_together(builders: Mapping[str, ProcessBuilder]) -> dict[str, WorkChainNode]:
    """Run WorkChains to their end, all at once, and return their nodes.

    :param builders: what to run, by its name for people.
    :raises KeyboardInterrupt: once a signal has ended the jobs, see :mod:`aiida_crucible.monitoring.foreground`.
    """
    for handler in logging.getLogger("aiida").handlers:
        # The reports stay in the provenance (`verdi process report`); here they would come between the lines.
        handler.setLevel(logging.ERROR)
    runner = get_manager().create_runner(communicator=None, poll_interval=0.2)
    processes = {name: runner.instantiate_process(builder) for name, builder in builders.items()}
    nodes = {name: process.node for name, process in processes.items()}
    steps = [runner.loop.create_task(process.step_until_terminated()) for process in processes.values()]
    runner.run_until_complete(_watch(nodes, steps))
    if any(node.is_killed for node in nodes.values()):
        raise KeyboardInterrupt
    return nodes


async def _watch(nodes: Mapping[str, ProcessNode], steps: Collection[asyncio.Task[None]]) -> None:
    """Show the progress until all have ended, and what they had called with them."""
    display = Display()
    pending = set(steps)
    while pending:
        display.update(nodes)
        _, pending = await asyncio.wait(pending, timeout=LOOK_INTERVAL)
    display.update(nodes)


class Display:
    """One line for each finished step; on a terminal, one more that says what is under way."""

    def __init__(self) -> None:
        self._start = self._last = time.monotonic()
        self._shown: set[int] = set()
        self._is_terminal = sys.stdout.isatty()

    def update(self, nodes: Mapping[str, ProcessNode]) -> None:
        """Write what is new."""
        running = []
        for name, node in nodes.items():
            for job in _jobs(node):
                if not job.is_terminated:
                    running.append(f"{name}: {_step(job)}")
                elif job.pk not in self._shown:
                    self._shown.add(job.pk)
                    self._write(f"{name:<20} {_step(job)}: {_result(job)}")
        if self._is_terminal and running:
            click.echo(f"\r\033[K{self._clock()} … {' | '.join(running)}", nl=False)
        elif running and time.monotonic() - self._last > HEARTBEAT_INTERVAL:
            self._write(f"… {' | '.join(running)}")

    def _write(self, line: str) -> None:
        click.echo(f"\r\033[K{self._clock()} {line}" if self._is_terminal else f"{self._clock()} {line}")
        self._last = time.monotonic()

    def _clock(self) -> str:
        return f"{time.monotonic() - self._start:5.0f} s "


def _jobs(node: ProcessNode) -> Iterator[CalcJobNode]:
    return (child for child in node.called_descendants if isinstance(child, CalcJobNode))


def _step(job: CalcJobNode) -> str:
    step = STEPS.get(job.process_type, job.process_label)
    temperatures = job.inputs.parameters.get_dict().get("temperatures") if "parameters" in job.inputs else None
    return f"{step} at {' and '.join(f'{value:g}' for value in temperatures)} K" if temperatures else step


def _result(job: CalcJobNode) -> str:
    if job.base.caching.is_created_from_cache:
        return "found in the cache"
    if job.is_finished_ok:
        return f"{(job.mtime - job.ctime).total_seconds():.0f} s"
    return f"ended with exit code {job.exit_status}, see `verdi process report {job.pk}`"

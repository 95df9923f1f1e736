"""Runs several WorkChains at the same time in this process, and says which step of which is under way."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Collection, Mapping, Sequence

import click
from aiida.engine import ProcessBuilder
from aiida.engine.processes.control import revive_processes
from aiida.engine.runners import Runner
from aiida.manage import get_manager
from aiida.orm import CalcFunctionNode, ProcessNode, WorkChainNode

from aiida_crucible.compat.aiida_engine import get_daemon_client
from aiida_crucible.compat.aiida_orm import DBLogHandler
from aiida_crucible.monitoring.display import Display, ask_for_progress
from aiida_crucible.monitoring.foreground import ask_before_ending

LOOK_INTERVALS = (1.0, 10.0)
"""Seconds between two looks at the running processes: at the beginning, and at most; in between, a hundredth of the
time that has passed. A look takes the cores from the jobs that are looked at."""


def run_together(builders: Mapping[str, ProcessBuilder], to_stderr: bool = False) -> dict[str, WorkChainNode]:
    """Run WorkChains to their end, all at once, and return their nodes.

    :param builders: what to run, by its name for people.
    :param to_stderr: whether the progress goes where it does not mix with an answer.
    :raises KeyboardInterrupt: once a signal has ended the jobs, see :mod:`aiida_crucible.monitoring.foreground`.
    :raises LeftToDaemonError: once the user has left them to the daemon.
    """
    for handler in logging.getLogger("aiida").handlers:
        # The reports go into the provenance (`verdi process report`); here they would come between the lines.
        if not isinstance(handler, DBLogHandler):
            handler.setLevel(logging.ERROR)
    runner = get_manager().create_runner(communicator=None, poll_interval=0.5)
    processes = {name: runner.instantiate_process(builder) for name, builder in builders.items()}
    nodes = {name: process.node for name, process in processes.items()}
    steps = [runner.loop.create_task(process.step_until_terminated()) for process in processes.values()]
    left = runner.loop.create_future()
    with Display(to_stderr) as display:
        if sys.stdin.isatty():
            ask_before_ending(runner.loop, lambda: display.paused(lambda: _ask(left)))
        runner.run_until_complete(_watch(nodes, steps, display, left, runner))
    if left.done():
        # What is cut off here was written down before its last step: for the daemon it is as if a worker had died.
        runner.loop.set_exception_handler(lambda *_: None)
        leave_to_daemon(list(nodes.values()))
        raise LeftToDaemonError(nodes)
    if any(node.is_killed for node in nodes.values()):
        raise KeyboardInterrupt
    return nodes


async def _watch(
    nodes: Mapping[str, ProcessNode],
    steps: Collection[asyncio.Task[None]],
    display: Display,
    left: asyncio.Future[None],
    runner: Runner,
) -> None:
    """Show the progress until all have ended, and what they had called with them, or are left to the daemon."""
    pending, begin = {*steps, left}, time.monotonic()
    asking = runner.loop.create_task(ask_for_progress(nodes, display.known, runner)) if display.is_terminal else None
    while len(pending) > 1 and not left.done():
        display.update(nodes)
        wait = min(LOOK_INTERVALS[1], max(LOOK_INTERVALS[0], (time.monotonic() - begin) / 100))
        _, pending = await asyncio.wait(pending, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
    if asking is not None:
        asking.cancel()
    display.update(nodes)


class LeftToDaemonError(Exception):
    """What ran here goes on in the daemon.

    :param nodes: by their names for people.
    """

    def __init__(self, nodes: Mapping[str, WorkChainNode]) -> None:
        self.nodes = dict(nodes)
        pks = ", ".join(str(node.pk) for node in nodes.values())
        first = next(iter(nodes.values())).pk
        super().__init__(f"the daemon goes on with PK {pks}: `aiida-crucible status {first} --watch 10` shows it")


QUESTION = "\nCtrl-C: [g]o on here, leave it to the [d]aemon, or [k]ill it with its jobs? [g/d/k] "


def _ask(left: asyncio.Future[None]) -> bool:
    """Ask what is to become of what runs; return whether to end it."""
    while True:
        click.echo(QUESTION, nl=False, err=True)
        answer = (sys.stdin.readline() or "k").strip().lower()[:1]
        if answer in ("g", "k"):
            return answer == "k"
        if answer == "d":
            try:
                require_daemon()
            except ValueError as error:
                click.echo(str(error), err=True)
                continue
            left.set_result(None)
            return False


def require_daemon() -> None:
    """Refuse to leave anything to a daemon that is not there.

    :raises ValueError: one line.
    """
    if get_manager().get_broker() is None:
        raise ValueError("this profile has no broker, and so no daemon (`verdi presto` makes one that has)")
    if not get_daemon_client().is_daemon_running:
        raise ValueError("the daemon is not running: `verdi daemon start` in another terminal starts it")


def leave_to_daemon(nodes: Sequence[ProcessNode]) -> None:
    """Let the daemon go on with processes, and with what they have called, from where each was last written down."""
    called = [each for node in nodes for each in (node, *node.called_descendants)]
    unfinished = [each for each in called if not each.is_terminated and not isinstance(each, CalcFunctionNode)]
    revive_processes(sorted(unfinished, key=lambda node: node.pk))

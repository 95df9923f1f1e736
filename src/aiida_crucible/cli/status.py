"""``aiida-crucible status``: how far jobs are, while they run and after."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from aiida_crucible.cli.shared.options import Number, with_profile
from aiida_crucible.cli.shared.tables import print_table

if TYPE_CHECKING:
    from aiida.orm import ProcessNode

    from aiida_crucible.monitoring.overview import Overview
    from aiida_crucible.monitoring.progress import JobStatus

SHORTEST_WATCH = 1.0

EXAMPLES = """\b
Examples:
  aiida-crucible status 1234
  aiida-crucible status 1234 --watch 10
"""


@click.command(short_help="Show how far a job, or the jobs of a WorkChain, are.", epilog=EXAMPLES)
@click.argument("process", metavar="PK")
@click.option(
    "--watch", type=Number(float, SHORTEST_WATCH, "15"), metavar="SECONDS", help="Look again until it has ended."
)
@with_profile
def status(process: str, watch: float | None) -> None:
    """Show how far a job is, or the jobs of a WorkChain, by its PK or UUID.

    Jobs that run are asked for on their computers, and jobs that are still to come are named. Of jobs that continue
    each other the newest is shown. "left" is the time to the end at the present speed, "checkpoint" the time since the
    last one was written.
    """
    from aiida_crucible.monitoring.words import title_of

    node = find_process(process)
    found, statuses = _look(node)
    if not statuses and node.is_terminated:
        raise click.ClickException(
            f"{title_of(node)} has ended and ran no job of the engine: see `verdi process report {node.pk}`"
        )
    if watch is not None and sys.stdout.isatty():
        _watch_in_place(node, found, watch)
        return
    _show(found)
    if watch is None and len(statuses) == 1 and statuses[0].problem:
        raise click.ClickException(statuses[0].problem)
    while watch is not None and not node.is_terminated:
        time.sleep(watch)
        _show(_look(node)[0])


def find_process(identifier: str) -> ProcessNode:
    """Return a process by its PK or UUID.

    :raises click.ClickException: if there is none.
    """
    from aiida.common.exceptions import MultipleObjectsError, NotExistent
    from aiida.orm import ProcessNode, load_node

    try:
        node = load_node(identifier)
    except (NotExistent, MultipleObjectsError, ValueError, OverflowError):  # the last: no database holds the number
        raise click.ClickException(
            f"there is no process {identifier!r} in this profile: `verdi process list -a` shows them"
        ) from None
    if not isinstance(node, ProcessNode):
        raise click.ClickException(
            f"{identifier} is a {type(node).__name__}, no process: `verdi process list -a` shows them"
        )
    return node


def _look(node: ProcessNode) -> tuple[Overview, list[JobStatus]]:
    from aiida_crucible.monitoring.overview import overview
    from aiida_crucible.monitoring.progress import look
    from aiida_crucible.monitoring.tree import Tree

    tree = Tree(node)
    statuses = look(tree.current_jobs())
    return overview(tree, statuses), statuses


def _show(found: Overview) -> None:
    """Write a line about the process, a table of its jobs, and what is left."""
    if found.told:
        click.echo(found.told)
    if found.rows:
        print_table(found.header, found.rows)
    for line in found.notes:
        click.echo(line)


def _watch_in_place(node: ProcessNode, found: Overview, interval: float) -> None:
    """Show one view that is drawn anew until the process has ended."""
    from rich.live import Live

    from aiida_crucible.report.terminal import view

    with Live(view(found.told, found.header, found.rows, found.notes), auto_refresh=False) as live:
        while not node.is_terminated:
            time.sleep(interval)
            found, _ = _look(node)
            live.update(view(found.told, found.header, found.rows, found.notes), refresh=True)

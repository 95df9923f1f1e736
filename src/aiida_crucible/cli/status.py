"""``aiida-crucible status``: how far jobs are, while they run and after."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from aiida_crucible.cli.options import with_profile
from aiida_crucible.cli.tables import print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiida.orm import ProcessNode

    from aiida_crucible.monitoring.progress import JobStatus

SHORTEST_WATCH = 1.0
COLUMNS = ("job", "what", "state", "done", "%", "steps/s", "ns/day", "left", "T (K)", "replica", "checkpoint", "note")


@click.command(short_help="Show how far a job, or the jobs of a WorkChain, are.")
@click.argument("process", metavar="PK")
@click.option(
    "--watch", type=click.FloatRange(SHORTEST_WATCH), metavar="SECONDS", help="Look again until it has ended."
)
@with_profile
def status(process: str, watch: float | None) -> None:
    """Show how far a job is, or the jobs of a WorkChain, by its PK or UUID.

    Jobs that run are asked for on their computers. Of jobs that continue each other the newest is shown. "left" is the
    time to the end at the present speed, "checkpoint" the time since the last one was written.
    """
    from aiida_crucible.monitoring.progress import current_jobs, engine_jobs, look

    node = find_process(process)
    while True:
        has_ended = node.is_terminated
        jobs = engine_jobs(node)
        if not jobs and has_ended:
            raise click.ClickException(f"{_name(node)} has ended and ran no job of the engine")
        statuses = look(current_jobs(jobs))
        if watch is not None and sys.stdout.isatty():
            click.clear()
        _show(node, statuses, len(jobs))
        if watch is None and len(statuses) == 1 and statuses[0].problem:
            raise click.ClickException(statuses[0].problem)
        if watch is None or has_ended:
            return
        time.sleep(watch)


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


def _show(node: ProcessNode, statuses: list[JobStatus], n_jobs: int) -> None:
    """Write a line about the process and a table of its jobs."""
    from aiida.orm import CalcJobNode

    if not isinstance(node, CalcJobNode):
        ended = sum(each.job.is_terminated for each in statuses)
        told = f"{ended} of {len(statuses)} jobs ended" if statuses else "no job yet"
        restarts = f", {n_jobs - len(statuses)} continued before" if n_jobs > len(statuses) else ""
        click.echo(f"{_name(node)} is {node.process_state.value}: {told}{restarts}")
    print_jobs(statuses)


def print_jobs(statuses: Sequence[JobStatus]) -> None:
    """Write a table of jobs; columns that none of them has something for are left out."""
    rows = [_row(each) for each in statuses]
    shown = [index for index in range(len(COLUMNS)) if any(row[index] not in (None, "") for row in rows)]
    if rows:
        print_table([COLUMNS[index] for index in shown], [[row[index] for index in shown] for row in rows])


def _row(status: JobStatus) -> tuple[object, ...]:
    job, line = status.job, status.line or {}
    done, total, rate = line.get("done"), line.get("total"), line.get("rate")
    is_under_way = not job.is_terminated
    temperature, speed, left = line.get("temperature"), line.get("ns_per_day"), line.get("eta")
    note = status.problem or (job.exit_message if job.is_failed else "") or ""
    return (
        job.pk,
        _label(job),
        status.state,
        None if total is None else f"{done}/{total}",
        f"{100 * done / total:.1f}" if total and done is not None else None,
        None if rate is None else f"{rate:.3g}",
        None if speed is None else f"{speed:.3g}",
        duration(left) if left is not None and is_under_way else None,
        None if temperature is None else f"{temperature:.0f}",
        line.get("replica"),
        None if status.checkpoint_age is None else f"{duration(status.checkpoint_age)} ago",
        note.splitlines()[0] if note else None,
    )


def _label(job: ProcessNode) -> str:
    """Return what a user calls a job: its label, or that of the WorkChain that restarts it, or its task."""
    caller = job.caller
    return str(job.label or (caller.label if caller else "") or _task(job))


def _task(job: ProcessNode) -> str:
    """Return the task of a job, of how many structures it is a dynamics, and at which temperatures it runs."""
    task = str(job.process_type.rpartition(".")[2])
    temperatures = job.inputs.parameters.get_dict().get("temperatures") if "parameters" in job.inputs else None
    if not temperatures:
        return task
    if "structures" in job.inputs:
        task = f"{task} of {len(job.inputs.structures)} structures,"
        temperatures = dict.fromkeys(temperatures)
    return f"{task} {shortened([f'{value:g}' for value in temperatures])} K"


def shortened(words: Sequence[str]) -> str:
    """Return words in a row, the middle of a long row left out."""
    return ", ".join(words) if len(words) < 4 else f"{words[0]} … {words[-1]}"


def _name(node: ProcessNode) -> str:
    return f"{node.process_label}<{node.pk}>"


def duration(seconds: float) -> str:
    """Return a time span in its two largest units."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, seconds_over = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {seconds_over} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"

"""How far a process is, as a person sees it: a line, a row for each job that there is or will be, and what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from aiida.orm import ProcessNode

from aiida_crucible.monitoring.learning import learning
from aiida_crucible.monitoring.outlook import Planned, is_foreseen, planned_jobs, seconds_left
from aiida_crucible.monitoring.progress import JobStatus
from aiida_crucible.monitoring.tree import Snapshot, Tree
from aiida_crucible.monitoring.words import duration, shortened
from aiida_crucible.nodes.identity import PREFIX, given_label

COLUMNS = (
    "job",
    "what",
    "state",
    "done",
    "%",
    "steps/s",
    "ns/day",
    "left",
    "T (K)",
    "replica",
    "learning",
    "checkpoint",
    "note",
)
TO_COME = "to come"
MOST_TO_COME = 6
"""Rows of jobs of one task that are still to come; more are told as one."""

Row = tuple[object, ...]


@dataclass(frozen=True)
class Overview:
    """How far a process is.

    :param told: a line about all of it; empty for a single job.
    :param header: of the table; columns that no job has something for are left out.
    :param rows: a job each.
    :param notes: lines on what is left, and on what stands still for a reason of AiiDA's own.
    """

    told: str
    header: Sequence[str]
    rows: Sequence[Row]
    notes: Sequence[str]


def overview(tree: Tree, statuses: Sequence[JobStatus]) -> Overview:
    """Return how far a process is.

    :param tree: of the process.
    :param statuses: of its :meth:`~aiida_crucible.monitoring.tree.Tree.current_jobs`.
    """
    planned = planned_jobs(tree)
    header, rows = job_table(statuses, tree, planned)
    notes = []
    if is_foreseen(tree.root) and not tree.root.is_terminated:
        left = seconds_left(planned, statuses)
        notes.append("together: not known yet" if left is None else f"together: about {duration(left)} left")
    return Overview(_told(tree, statuses, planned), header, rows, [*notes, *_stalls(tree)])


def job_table(
    statuses: Sequence[JobStatus], tree: Tree | None = None, planned: Sequence[Planned] = ()
) -> tuple[list[str], list[Row]]:
    """Return header and rows of a table of jobs, without the columns that none of them has something for.

    :param statuses: of the jobs that there are.
    :param tree: that they are in; their callers are looked up if left out.
    :param planned: those that will come.
    """
    rows = [*(_row(each, tree) for each in statuses), *_rows_to_come(planned)]
    filled = [index for index in range(len(COLUMNS)) if any(row[index] not in (None, "") for row in rows)]
    return [COLUMNS[index] for index in filled], [tuple(row[index] for index in filled) for row in rows]


def _told(tree: Tree, statuses: Sequence[JobStatus], planned: Sequence[Planned]) -> str:
    root, n_jobs = tree.root, len(tree.jobs())
    if root.is_job:
        return ""
    ended = sum(each.job.is_terminated for each in statuses)
    told = f"{ended} of {len(statuses) + len(planned)} jobs ended" if statuses else "no job yet"
    restarts = f", {n_jobs - len(statuses)} continued before" if n_jobs > len(statuses) else ""
    name = f" ({root.label})" if root.label else ""
    return f"{root.title}{name} is {'paused' if root.is_paused else root.state}: {told}{restarts}"


def _stalls(tree: Tree) -> list[str]:
    """Return a line for each process that stands still, or has ended by a fault of a program."""
    lines = []
    for each in tree.processes:
        if each.state == "excepted":
            lines.append(f"{each.title} excepted, a fault of a program: `verdi process report {each.pk}` tells which")
        elif each.is_paused:
            why = each.attributes.get(ProcessNode.PROCESS_STATUS_KEY)
            lines.append(f"{each.title} is paused ({why}): `verdi process play {each.pk}`")
    return lines


def _rows_to_come(planned: Sequence[Planned]) -> list[Row]:
    rows: list[Row] = []
    for _, group in groupby(planned, key=lambda each: each.task):
        jobs = list(group)
        named = jobs if len(jobs) <= MOST_TO_COME else [*jobs[: MOST_TO_COME - 1], jobs[-1]]
        for job in named:
            is_last_of_many = job is named[-1] and len(named) < len(jobs)
            what = f"… {job.what}, {len(jobs) - len(named) + 1} in all" if is_last_of_many else job.what
            rows.append((None, what, TO_COME, *[None] * (len(COLUMNS) - 3)))
    return rows


def _row(status: JobStatus, tree: Tree | None) -> Row:
    job, line = status.job, status.line or {}
    done, total, rate = line.get("done"), line.get("total"), line.get("rate")
    is_under_way = not job.is_terminated
    temperature, speed, left = line.get("temperature"), line.get("ns_per_day"), line.get("eta")
    note = status.problem or (job.exit_message if job.exit_status else "")
    return (
        job.pk,
        name_of(job, tree.caller(job) if tree else None),
        status.state,
        None if total is None else f"{done}/{total}",
        f"{100 * done / total:.1f}" if total and done is not None else None,
        None if rate is None else f"{rate:.3g}",
        None if speed is None else f"{speed:.3g}",
        duration(left) if left is not None and is_under_way else None,
        None if temperature is None else f"{temperature:.0f}",
        line.get("replica"),
        learning(line),
        None if status.checkpoint_age is None else f"{duration(status.checkpoint_age)} ago",
        note.splitlines()[0] if note else None,
    )


def name_of(job: Snapshot, caller: Snapshot | None) -> str:
    """Return what a user calls a job: its label, or that of the WorkChain that restarts it, or its task."""
    labels = [given_label(each.label, each.extras) for each in (job, caller) if each is not None]
    return next(filter(None, labels), "") or _task(job)


def _task(job: Snapshot) -> str:
    """Return the task of a job, of how many structures it is a dynamics, and at which temperatures it runs."""
    task = job.kind.rpartition(".")[2]
    temperatures = job.extras.get(f"{PREFIX}temperatures")
    if not temperatures and f"{PREFIX}model" not in job.extras and "parameters" in job.node.inputs:
        temperatures = job.node.inputs.parameters.get_dict().get("temperatures")  # of an older version
    if not temperatures:
        return task
    n_structures = job.extras.get(f"{PREFIX}n_structures", 1)
    of = f" of {n_structures} structures," if n_structures > 1 else ""
    return f"{task}{of} {shortened([f'{value:g}' for value in dict.fromkeys(temperatures)])} K"

"""How far the jobs of a process are: the last line of each job's progress file, from its computer while it runs."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any
from uuid import uuid4

from aiida.common.datastructures import CalcJobState
from aiida.orm import CalcJobNode, Computer, FolderData, Node, QueryBuilder, RemoteData
from aiida.transports import Transport

from aiida_crucible.compat.aiida_orm import escape_for_bash
from aiida_crucible.monitoring.tree import Snapshot
from aiida_crucible.nodes.bounds import LARGEST_SAYING
from crucible_engine.wire.rules import first_line
from crucible_engine.wire.schema import PROGRESS_FILE, RUN_FOLDER, STATE_FILE
from crucible_engine.wire.value_types import parse_json, require_type

SCHEDULER_STATE = CalcJobNode.SCHEDULER_STATE_KEY
KEY_CLEANED = f"extras.{RemoteData.KEY_EXTRA_CLEANED}"

LINES = 3
"""The last may be half-written, and the one before it is as good."""


def last_line(text: str) -> dict[str, Any] | None:
    """Return the last line of a progress file that is whole; ``None`` where there is none."""
    for line in reversed(text.splitlines()):
        try:
            content = parse_json(line)
            require_type("the line", content, dict[str, Any])
            for name in ("time", "done", "total"):
                require_type(name, content.get(name), float)
            for name in ("rate", "temperature", "eta"):
                require_type(name, content.get(name), float | None)
        except ValueError:
            continue
        return content  # type: ignore[no-any-return]
    return None


def read_remote(transport: Transport, folder: str) -> dict[str, Any] | None:
    """Return the last progress line of a running job.

    :param transport: an open one.
    :param folder: the job's folder on the computer.
    :raises OSError: if the computer does not answer.
    """
    path = str(PurePosixPath(folder) / PROGRESS_FILE)
    status, said, _ = transport.exec_command_wait(f"tail -n {LINES} {escape_for_bash(path)} | tail -c {LARGEST_SAYING}")
    if status == 0:
        return last_line(said)
    if not transport.isfile(path):
        return None
    with tempfile.NamedTemporaryFile() as local:  # a computer without a shell or tail
        transport.getfile(path, local.name)
        return last_line(_end_of(local))


def read_retrieved(folder: FolderData) -> dict[str, Any] | None:
    """Return the last progress line of what was retrieved of a job; ``None`` where there is none."""
    repository = folder.base.repository
    if PROGRESS_FILE not in repository.list_object_names():
        return None
    with repository.open(PROGRESS_FILE, mode="rb") as stream:
        return last_line(_end_of(stream))


def _end_of(stream: IO[bytes]) -> str:
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - LARGEST_SAYING))
    return stream.read().decode(errors="replace")


@dataclass(frozen=True)
class JobStatus:
    """How far a job is.

    :param job: which.
    :param state: one or two words.
    :param line: the last line of its progress file; ``None`` where there is none yet.
    :param checkpoint_age: seconds since its last checkpoint was written; ``None`` where there is none, or it has ended.
    :param problem: one line that says why nothing is known; empty where all is well.
    :param is_to_be_asked: whether its computer may know more.
    """

    job: Snapshot
    state: str
    line: dict[str, Any] | None = None
    checkpoint_age: float | None = None
    problem: str = ""
    is_to_be_asked: bool = False


def look(jobs: Sequence[Snapshot]) -> list[JobStatus]:
    """Return how far jobs are; those that go on are asked for on their computers, one connection to each."""
    found = look_offline(jobs)
    for there in by_computer(found.values()):
        try:
            with there[0].node.get_authinfo().get_transport() as transport:
                found |= ask(transport, there)
        except Exception as error:  # each transport has its own
            label = there[0].node.computer.label
            found |= say_of_all(there, f"computer {label!r} cannot be reached: {first_line(error)}")
    return [found[job.pk] for job in jobs]


def look_offline(jobs: Sequence[Snapshot]) -> dict[int, JobStatus]:
    """Return by their PKs how far jobs are as far as AiiDA itself knows."""
    retrieved = dict(_outputs([job.pk for job in jobs if job.is_terminated], FolderData, "retrieved", "*"))
    cleaned = _outputs([job.pk for job in jobs if job.pk not in retrieved], RemoteData, "remote_folder", KEY_CLEANED)
    is_cleaned = dict(cleaned)
    found: dict[int, JobStatus] = {}
    for job in jobs:
        line = read_retrieved(retrieved[job.pk]) if job.pk in retrieved else None
        if line is None and is_cleaned.get(job.pk):
            found |= say_of_all([job], f"its folder was cleaned from {job.node.computer.label}")
        else:
            is_to_be_asked = line is None and _folder_of(job) is not None
            found[job.pk] = JobStatus(job, state_of(job), line, is_to_be_asked=is_to_be_asked)
    return found


def by_computer(statuses: Iterable[JobStatus]) -> list[list[Snapshot]]:
    """Return the jobs whose computers may know more of them, those of one computer together."""
    found: dict[str, list[Snapshot]] = {}
    asked = [status.job for status in statuses if status.is_to_be_asked]
    pks = [job.pk for job in asked]
    query = QueryBuilder().append(CalcJobNode, filters={"id": {"in": pks}}, tag="job", project="id")
    query.append(Computer, with_node="job", project="uuid")
    computers: dict[int, str] = dict(query.all()) if pks else {}
    for job in asked:
        found.setdefault(computers[job.pk], []).append(job)
    return list(found.values())


def ask(transport: Transport, jobs: Sequence[Snapshot]) -> dict[int, JobStatus]:
    """Return by their PKs how far jobs are that have folders on one computer.

    :param transport: an open one to it.
    """
    try:
        answers = _read_all(transport, [str(_folder_of(job)) for job in jobs])
    except Exception as error:  # each transport has its own
        return say_of_all(jobs, f"{jobs[0].node.computer.label} did not answer: {first_line(error)}")
    return {
        job.pk: JobStatus(job, state_of(job), line, None if job.is_terminated else age)
        for job, (line, age) in zip(jobs, answers, strict=True)
    }


def say_of_all(jobs: Sequence[Snapshot], problem: str) -> dict[int, JobStatus]:
    """Return by their PKs that nothing is known of jobs, and why."""
    return {job.pk: JobStatus(job, state_of(job), problem=problem) for job in jobs}


def _folder_of(job: Snapshot) -> str | None:
    return job.attributes.get(CalcJobNode.REMOTE_WORKDIR_KEY)


def _outputs(pks: Sequence[int], kind: type[Node], label: str, project: str) -> list[tuple[int, Any]]:
    """Return the outputs of jobs with a label: the job's PK, and what is asked for of the node."""
    query = QueryBuilder().append(CalcJobNode, filters={"id": {"in": pks}}, tag="job", project="id")
    query.append(kind, with_incoming="job", edge_filters={"label": label}, project=project)
    return [(pk, found) for pk, found in query.all()] if pks else []


def _read_all(transport: Transport, folders: Sequence[str]) -> list[tuple[dict[str, Any] | None, float | None]]:
    """Return of each folder the last line of progress, and the age of the last checkpoint in seconds."""
    mark = f"@{uuid4().hex}"  # that no file can hold
    each = (
        f'echo {mark} $(date -r "$f/{RUN_FOLDER}/{STATE_FILE}" +%s 2>/dev/null); '
        f'tail -n {LINES} "$f/{PROGRESS_FILE}" 2>/dev/null | tail -c {LARGEST_SAYING}'
    )
    words = " ".join(escape_for_bash(folder) for folder in folders)
    _, said, _ = transport.exec_command_wait(f"for f in {words}; do {each}; done")
    parts = said.split(mark)[1:]
    if len(parts) != len(folders):  # a computer without a shell
        return [(read_remote(transport, folder), _checkpoint_age(transport, folder)) for folder in folders]
    found: list[tuple[dict[str, Any] | None, float | None]] = []
    for part in parts:
        written, _, text = part.partition("\n")
        age = max(0.0, time.time() - float(written)) if written.strip().isdigit() else None
        found.append((last_line(text), age))
    return found


def state_of(job: Snapshot) -> str:
    """Return where a job is: with AiiDA, with the scheduler, or how it has ended."""
    if job.state == "finished":
        return "finished" if job.exit_status == 0 else f"exit {job.exit_status}"
    if job.is_terminated or job.is_paused:
        return "paused" if job.is_paused else job.state
    state, scheduled = (job.attributes.get(key) for key in (CalcJobNode.CALC_JOB_STATE_KEY, SCHEDULER_STATE))
    if state == CalcJobState.WITHSCHEDULER.value and scheduled is not None:
        return str(scheduled)
    return str(state or job.state)


def _checkpoint_age(transport: Transport, folder: str) -> float | None:
    path = str(PurePosixPath(folder) / RUN_FOLDER / STATE_FILE)
    if not transport.isfile(path):
        return None
    return max(0.0, time.time() - float(transport.get_attribute(path)["st_mtime"]))

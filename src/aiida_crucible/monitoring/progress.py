"""How far the jobs of a process are: the last line of each job's progress file, from its computer while it runs."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import IO, Any

from aiida.orm import CalcJobNode, ProcessNode
from aiida.transports import Transport

from aiida_crucible.compat.aiida_orm import escape_for_bash
from aiida_crucible.nodes.bounds import LARGEST_SAYING
from crucible_engine.tasks.dynamics.checkpoint import STATE_FILE
from crucible_engine.wire.rules import first_line
from crucible_engine.wire.schema import PROGRESS_FILE, RUN_FOLDER
from crucible_engine.wire.value_types import parse_json, require_type

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


def read_retrieved(node: CalcJobNode) -> dict[str, Any] | None:
    """Return the last progress line of a job whose files were retrieved; ``None`` where there is none."""
    if "retrieved" not in node.outputs:
        return None
    repository = node.outputs.retrieved.base.repository
    if PROGRESS_FILE not in repository.list_object_names():
        return None
    with repository.open(PROGRESS_FILE, mode="rb") as stream:
        return last_line(_end_of(stream))


def _end_of(stream: IO[bytes]) -> str:
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - LARGEST_SAYING))
    return stream.read().decode(errors="replace")


PROCESS_TYPES = "aiida.calculations:crucible."
"""Beginning of the process type of every job of the engine."""


@dataclass(frozen=True)
class JobStatus:
    """How far a job is.

    :param job: its node.
    :param state: one or two words.
    :param line: the last line of its progress file; ``None`` where there is none yet.
    :param checkpoint_age: seconds since its last checkpoint was written; ``None`` where there is none, or it has ended.
    :param problem: one line that says why nothing is known; empty where all is well.
    """

    job: CalcJobNode
    state: str
    line: dict[str, Any] | None = None
    checkpoint_age: float | None = None
    problem: str = ""


def engine_jobs(node: ProcessNode) -> list[CalcJobNode]:
    """Return the jobs of the engine that a process is or has called, the oldest first."""
    called = [node, *node.called_descendants]
    jobs = [each for each in called if isinstance(each, CalcJobNode) and _is_engine_job(each)]
    return sorted(jobs, key=lambda job: job.ctime)


def current_jobs(jobs: Sequence[CalcJobNode]) -> list[CalcJobNode]:
    """Return those that go on, and the newest of each WorkChain: what it has continued is told by that one."""
    newest = {job.caller.pk if job.caller else job.pk: job for job in jobs}
    shown = {job.pk for job in newest.values()}
    return [job for job in jobs if job.pk in shown or not job.is_terminated]


def look(jobs: Sequence[CalcJobNode]) -> list[JobStatus]:
    """Return how far jobs are; those that go on are asked for on their computers, one connection to each."""
    with ExitStack() as stack:
        known: dict[str, Transport | str] = {}
        return [_look_at(job, partial(_connect, stack=stack, known=known)) for job in jobs]


def _connect(job: CalcJobNode, stack: ExitStack, known: dict[str, Transport | str]) -> Transport | str:
    """Return an open transport to a job's computer, one for all of its jobs, or one line on why there is none."""
    computer = job.computer
    if computer.uuid not in known:
        try:
            known[computer.uuid] = stack.enter_context(job.get_authinfo().get_transport())
        except Exception as error:  # each transport has its own
            known[computer.uuid] = f"computer {computer.label!r} cannot be reached: {first_line(error)}"
    return known[computer.uuid]


def _look_at(job: CalcJobNode, connect: Callable[[CalcJobNode], Transport | str]) -> JobStatus:
    state = _state_of(job)
    if job.is_terminated and (line := read_retrieved(job)) is not None:
        return JobStatus(job, state, line)
    folder = job.get_remote_workdir()
    if folder is None:
        return JobStatus(job, state)
    if "remote_folder" in job.outputs and job.outputs.remote_folder.is_cleaned:
        return JobStatus(job, state, problem=f"its folder was cleaned from {job.computer.label}")
    transport = connect(job)
    if isinstance(transport, str):
        return JobStatus(job, state, problem=transport)
    try:
        line = read_remote(transport, folder)
        age = None if job.is_terminated else _checkpoint_age(transport, folder)
    except Exception as error:  # each transport has its own
        return JobStatus(job, state, problem=f"{job.computer.label} did not answer: {first_line(error)}")
    return JobStatus(job, state, line, age)


def _is_engine_job(job: CalcJobNode) -> bool:
    return bool(job.process_type) and str(job.process_type).startswith(PROCESS_TYPES)


def _state_of(job: CalcJobNode) -> str:
    """Return where a job is: with AiiDA, with the scheduler, or how it has ended."""
    if job.is_finished:
        return "finished" if job.is_finished_ok else f"exit {job.exit_status}"
    if job.is_terminated:
        return str(job.process_state.value)
    if job.paused:
        return "paused"
    scheduled, state = job.get_scheduler_state(), job.get_state()
    if state is not None and state.value == "withscheduler" and scheduled is not None:
        return str(scheduled.value)
    return str((state or job.process_state).value)


def _checkpoint_age(transport: Transport, folder: str) -> float | None:
    path = str(PurePosixPath(folder) / RUN_FOLDER / STATE_FILE)
    if not transport.isfile(path):
        return None
    return max(0.0, time.time() - float(transport.get_attribute(path)["st_mtime"]))

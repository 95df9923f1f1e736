"""What a task needs of the job around it, besides the job and the model: its folder, its journal, its progress."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crucible_engine.job.preflight import Survey
from crucible_engine.job.process import Interruption
from crucible_engine.job.threads import ThreadControl
from crucible_engine.wire.journal import JournalWriter, Record, require_records
from crucible_engine.wire.records import Check
from crucible_engine.wire.schema import JOURNAL_FILE, PROGRESS_FILE, Condition, EngineError, Job

INTERVAL = 1.0
"""Seconds between two lines."""


class Progress:
    """Writes ``{"time", "task", "done", "total", "rate", "eta"}`` and what the task adds.

    ``time`` is seconds since the epoch, ``rate`` pieces of work a second since this process began, ``eta`` the seconds
    that are left at this rate; both are ``null`` before the first piece is done.

    :param path: the file, appended to.
    :param total: pieces of work in the whole job.
    :param done: pieces that an earlier run has done.
    """

    def __init__(self, path: Path, task: str, total: int, done: int = 0) -> None:
        self._path, self._task, self._total, self._before = path, task, total, done
        self._began = time.monotonic()
        self._written = -float("inf")

    @property
    def is_due(self) -> bool:
        """Whether a report would be written now; the details of one that would not need not be computed."""
        return time.monotonic() - self._written >= INTERVAL

    def report(self, done: int, **details: Any) -> None:
        """Write a line, unless the last one is younger than :data:`INTERVAL` or work is left.

        :param done: pieces of work done so far, those of earlier runs included.
        :param details: what else is worth knowing now, JSON-serializable.
        """
        now = time.monotonic()
        if now - self._written < INTERVAL and done < self._total:
            return
        self._written = now
        fresh, seconds = done - self._before, now - self._began
        rate = fresh / seconds if fresh and seconds > 0 else None
        line = {
            "time": round(time.time(), 3),
            "task": self._task,
            "done": done,
            "total": self._total,
            "rate": rate and round(rate, 4),
            "eta": rate and round((self._total - done) / rate, 1),
            **details,
        }
        # A full disk stops a job where it would lose work, and not here.
        with contextlib.suppress(OSError), self._path.open("a") as stream:
            stream.write(json.dumps(line) + "\n")


@dataclass
class TaskResult:
    """What a task hands back; its arrays are in ``arrays.npz`` by then.

    :param outcome: what the physics said, see :class:`crucible_engine.wire.schema.Results`.
    :param summary: the task's scalars, JSON-serializable.
    :param condition: ``FINISHED``, or ``NOT_CONVERGED``.
    :param message: one line for a person, where not all is well.
    """

    outcome: str
    summary: dict[str, Any] = field(default_factory=dict)
    condition: Condition = Condition.FINISHED
    message: str = ""


@dataclass
class Context:
    """The surroundings of a task.

    :param threads: keeps the number of CPU threads fair to the other engines on this machine.
    :param identity: whose work a journal or checkpoint is, see :mod:`crucible_engine.job.runner`.
    :param began: when the job began, of ``time.monotonic``.
    :param walltime: seconds after that at which the scheduler ends it; ``None`` where there is no limit.
    :ivar unfinished: what a task that is stopped leaves as its summary.
    """

    folder: Path
    interruption: Interruption
    threads: ThreadControl
    survey: Survey
    identity: dict[str, Any]
    began: float = 0.0
    walltime: float | None = None
    unfinished: dict[str, Any] = field(default_factory=dict)

    def between_steps(self) -> None:
        """Call between batches or optimizer steps: adapt the threads, and stop here if the job was asked to.

        :raises crucible_engine.job.process.Interrupted: if it was.
        """
        self.threads.adapt()
        self.interruption.check()

    def finish(self) -> None:
        """Call once all is computed: from now on signals are ignored, since it only remains to write it down."""
        self.interruption.ignore()

    def must_stop(self, margin: float) -> bool:
        """Return whether a signal asks the job to stop, or its time is up.

        :param margin: seconds before the walltime at which it is.
        """
        return self.interruption.requested or self._is_out_of_time(margin)

    def raise_if_out_of_time(self, margin: float) -> None:
        """Stop a job whose time is up.

        :raises EngineError: ``INTERRUPTED``.
        """
        if self._is_out_of_time(margin):
            raise EngineError(
                Condition.INTERRUPTED,
                f"stopped by itself before its walltime of {self.walltime:g} s: restart the job and it continues where "
                "it was",
            )

    def _is_out_of_time(self, margin: float) -> bool:
        return self.walltime is not None and time.monotonic() - self.began > self.walltime - margin

    @property
    def journal_path(self) -> Path:
        """Where the job's journal is."""
        return self.folder / JOURNAL_FILE

    def open_journal(self, check: Check) -> JournalWriter:
        """Begin the job's journal, or continue the one found in the job's folder.

        :param check: of its records, see :mod:`crucible_engine.wire.records`.
        :raises EngineError: ``INVALID_JOB``, if that one belongs to other work.
        """
        with self.interruption.deferred():
            journal = JournalWriter(self.journal_path, self.identity)
            try:
                require_records(self.journal_path, check)
            except EngineError:
                journal.close()
                raise
            return journal

    def append(self, journal: JournalWriter, record: Record) -> None:
        """Append a record to the journal; a signal waits until it is written."""
        with self.interruption.deferred():
            journal.append(record)

    def progress(self, job: Job, total: int, done: int = 0) -> Progress:
        """Return the job's progress file."""
        return Progress(self.folder / PROGRESS_FILE, job.task, total, done)

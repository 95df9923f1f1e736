"""How far a job is, as one JSON line an interval in ``progress.jsonl``, for people and monitors."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any

INTERVAL = 1.0
"""Seconds between two lines."""


class Progress:
    """Writes ``{"time", "task", "done", "total", "rate", "eta"}`` and what the task adds.

    ``time`` is seconds since the epoch, ``rate`` pieces of work a second since this process began, ``eta`` the seconds
    that are left at this rate; both are ``null`` before the first piece is done.

    :param path: the file, appended to.
    :param task: the job's task.
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

"""``results.json``: what an exception that ended a job means, and a file that is written even on a full disk.

It is written once, atomically.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import traceback
from pathlib import Path

from crucible_engine.wire.schema import RESULTS_FILE, Condition, EngineError, Results

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

RESERVED_BYTES = 16384
"""Taken on the disk when a job starts, so that a full disk cannot keep it from saying that the disk is full."""


class Interrupted(BaseException):
    """The job was asked to stop.

    It derives from ``BaseException`` like ``KeyboardInterrupt``, so that no ``except Exception`` of a model's package
    swallows it.

    :param signal_name: which signal asked, e.g. ``SIGTERM``.
    """

    def __init__(self, signal_name: str) -> None:
        super().__init__(signal_name)
        self.signal_name = signal_name


def diagnose(error: BaseException) -> tuple[Condition, str]:
    """Return the condition that an exception stands for and one line about it; no exception makes this fail."""
    if isinstance(error, EngineError):
        return error.condition, error.message
    if isinstance(error, Interrupted):
        return Condition.INTERRUPTED, f"stopped by {error.signal_name}: restart the job and it continues where it was"
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and is_out_of_memory(error)):
        return Condition.OUT_OF_MEMORY, "the memory does not suffice: give the job more or a smaller batch_size"
    if (reason := no_space(error)) is not None:
        return Condition.DISK_FULL, f"no space left for the job's files ({reason}): free some and restart the job"
    return Condition.UNEXPECTED_ERROR, one_line(error)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether an error is torch's for a lack of memory, which is no ``MemoryError``."""
    if type(error).__name__ == "OutOfMemoryError":
        return True
    text = one_line(error).lower()
    return any(words in text for words in ("out of memory", "not enough memory", "can't allocate memory"))


def no_space(error: BaseException | None) -> str | None:
    """Return what the system said if an exception, or one that led to it, is about a full disk."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno in NO_SPACE:
            return error.strerror
        error = error.__cause__ or error.__context__
    return None


def one_line(error: BaseException) -> str:
    """Return kind and text of an exception in one line."""
    text = type(error).__name__
    with contextlib.suppress(Exception):  # an exception of a package may fail to describe itself
        text = " ".join(traceback.format_exception_only(error)[-1].split()) or text
    return text


class ResultsFile:
    """The place of ``results.json`` in a job's folder.

    An older ``results.json`` is removed: from now on the job is unfinished.

    :raises OSError: if the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / RESULTS_FILE
        self._reserve = folder / f".{RESULTS_FILE}.reserve"
        self.path.unlink(missing_ok=True)
        with self._reserve.open("wb") as stream:
            stream.write(b" " * RESERVED_BYTES)
            stream.flush()
            os.fsync(stream.fileno())

    def write(self, results: Results) -> Results:
        """Write the results: readers see the whole file or none.

        What cannot be written whole is written without its summary, and says so: a summary that is no JSON, or one that
        is longer than the reserved space on a full disk.

        :return: what was written.
        :raises OSError: if even the reserved space cannot hold them.
        """
        try:
            self._write(_text_of(results))
        except (OSError, TypeError, ValueError) as error:
            results = _without_summary(results, error)
            self._write(_text_of(results))
        return results

    def _write(self, text: bytes) -> None:
        with self._reserve.open("r+b") as stream:
            stream.write(text)
            stream.truncate()
            stream.flush()
            os.fsync(stream.fileno())
        self._reserve.replace(self.path)
        sync_folder(self.path.parent)


def _text_of(results: Results) -> bytes:
    return json.dumps(results.to_dict(), indent=2, allow_nan=False).encode()


def _without_summary(results: Results, error: Exception) -> Results:
    """Return the results of a job that failed in its last moment; its journal or run folder has what it did."""
    condition, message = diagnose(error)
    said = f"{results.message}; " if results.message else ""
    return Results(results.task, condition.value, f"{said}the results could not be written whole: {message}")


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

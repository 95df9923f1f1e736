"""``results.json``: written once, atomically, and even on a disk that has filled up meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from crucible_engine.wire.diagnosis import diagnose
from crucible_engine.wire.schema import RESULTS_FILE, Results

RESERVED_BYTES = 16384
"""Taken on the disk when a job starts, so that a full disk cannot keep it from saying that the disk is full."""


class ResultsFile:
    """The place of ``results.json`` in a job's folder.

    An older ``results.json`` is removed: from now on the job is unfinished.

    :param folder: the job's folder.
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

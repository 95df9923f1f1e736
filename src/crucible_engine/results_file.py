"""``results.json``: written once, atomically, and even on a disk that has filled up meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from crucible_engine.schema import RESULTS_FILE, Results

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

    def write(self, results: Results) -> None:
        """Write the results: readers see the whole file or none.

        :raises OSError: if even the reserved space cannot hold them.
        """
        text = json.dumps(results.to_dict(), indent=2, allow_nan=False)
        with self._reserve.open("r+b") as stream:
            stream.write(text.encode())
            stream.truncate()
            stream.flush()
            os.fsync(stream.fileno())
        self._reserve.replace(self.path)
        sync_folder(self.path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

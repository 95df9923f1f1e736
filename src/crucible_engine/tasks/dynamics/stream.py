"""A table that grows on the disk: an ``.npy`` of records, valid at any time as of the last time that it was sealed."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from crucible_engine.wire.schema import Condition, EngineError

BUFFERED_BYTES = 1 << 20


class Stream:
    """Appends records to a file that ``numpy.load(path, mmap_mode="r")`` reads.

    Memory holds at most :data:`BUFFERED_BYTES` and one record.

    :param path: the file; continued if it exists.
    :param dtype: of one record, a structured type.
    :param rows: how many records of the file count, as the checkpoint says; what follows was written after it.
    :raises EngineError: ``INVALID_JOB``, if the file holds fewer.
    """

    def __init__(self, path: Path, dtype: np.dtype[Any], rows: int) -> None:
        self.rows = rows
        self._dtype = dtype
        self._buffer = bytearray()
        self._header_length = len(_header(dtype, 0))
        end = self._header_length + rows * dtype.itemsize
        if rows:
            require_stream(path, dtype, rows)
        else:
            path.write_bytes(_header(dtype, 0))
        self._stream = path.open("r+b", buffering=0)
        self._stream.truncate(end)
        self._stream.seek(end)

    def append(self, record: NDArray[Any]) -> None:
        """Append one record, a 0-d array of the stream's type."""
        self._buffer += record.tobytes()
        self.rows += 1
        if len(self._buffer) > BUFFERED_BYTES:
            self._flush()

    def seal(self) -> None:
        """Bring everything to the disk and let the header say how much there is.

        :raises OSError: if the disk is full.
        """
        self._flush()
        end = self._stream.tell()
        self._stream.seek(0)
        self._stream.write(_header(self._dtype, self.rows))
        self._stream.seek(end)
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Close the file; what was not sealed does not count."""
        self._stream.close()

    def _flush(self) -> None:
        remaining = memoryview(bytes(self._buffer))
        while remaining:
            remaining = remaining[self._stream.write(remaining) :]
        self._buffer.clear()


def require_stream(path: Path, dtype: np.dtype[Any], rows: int) -> None:
    """Check that a file is a stream and holds as many records as a checkpoint says.

    :raises EngineError: ``INVALID_JOB``.
    """
    header = _header(dtype, 0)
    if rows < 0 or not path.is_file() or path.stat().st_size < len(header) + rows * dtype.itemsize:
        problem = "is missing or shorter than its checkpoint says"
    elif not _is_header(path, len(header), dtype):
        problem = "is no table of what its checkpoint says"
    else:
        return
    raise EngineError(Condition.INVALID_JOB, f"{path.name} {problem}: restart from a whole copy of the folder")


def _is_header(path: Path, length: int, dtype: np.dtype[Any]) -> bool:
    """Return whether a file begins with the header of a stream; the number of rows in it may be any."""
    with path.open("rb") as stream:
        found = stream.read(length)
    match = re.search(rb"'shape': \((\d{1,15}),\)", found)
    return match is not None and found == _header(dtype, int(match[1]))


class Records:
    """Every n-th record of a stream, read when it is asked for.

    A mapped file would do the same, but its pages would count as the job's memory.

    :param rows: how many of its records count.
    :param every: n.
    :raises OSError: if the file cannot be read.
    :raises ValueError: if it is no stream.
    """

    def __init__(self, path: Path, rows: int, every: int = 1) -> None:
        self._path, self._every = path, every
        self._count = len(range(0, rows, every))
        with path.open("rb") as stream:
            npy.read_magic(stream)
            _, _, self.dtype = npy.read_array_header_1_0(stream)
            self._first = stream.tell()

    def __len__(self) -> int:
        return self._count

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the records from one number to another, counted as :func:`len` does."""
        found = np.empty(min(stop, self._count) - start, dtype=self.dtype)
        with self._path.open("rb", buffering=0) as stream:
            for row in range(len(found)):
                stream.seek(self._first + (start + row) * self._every * self.dtype.itemsize)
                found[row] = np.frombuffer(stream.read(self.dtype.itemsize), dtype=self.dtype)[0]
        return found


def series_dtype(columns: tuple[str, ...]) -> np.dtype[Any]:
    """Return the type of a row of a time series: float64 columns."""
    return np.dtype([(name, "<f8") for name in columns])


def frame_dtype(n_atoms: int, forces: bool, velocities: bool) -> np.dtype[Any]:
    """Return the type of a frame.

    ``step``, ``cell`` (Å), ``positions`` (Å) and, where asked for, ``forces`` (eV/Å) and ``velocities`` (Å/fs).

    Vectors of atoms are single precision: 1e-6 Å at 10 Å, a thousandth of what the smallest thermal motion amounts to.
    """
    fields: list[tuple[str, Any, Any]] = [
        ("step", "<i8", ()),
        ("cell", "<f8", (3, 3)),
        ("positions", "<f4", (n_atoms, 3)),
    ]
    fields += [("forces", "<f4", (n_atoms, 3))] if forces else []
    fields += [("velocities", "<f4", (n_atoms, 3))] if velocities else []
    return np.dtype(fields)


def _header(dtype: np.dtype[Any], rows: int) -> bytes:
    """Return the header of an ``.npy``, of the same length whatever the number of records."""
    description = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": (rows,)}
    text = repr(description).encode("latin1")
    length = -(-(len(repr({**description, "shape": (10**15,)})) + 1 + 10) // 64) * 64
    body = text.ljust(length - 10 - 1) + b"\n"
    return npy.magic(1, 0) + len(body).to_bytes(2, "little") + body

"""Arrays in ``.npz`` files: what they have to be, by name; how they are read, and how they are written.

A file may be damaged or hostile: only arrays of numbers and text are read, and never more than the file itself holds.
Whatever writes one here stores its members as they are. What is compressed was made by somebody else, and may be a
thousand times as large once it is read. ``arrays.npz``, the numbers of a finished job, is written from front to back
without ever holding all of them.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray

from crucible_engine.wire.results import sync_folder
from crucible_engine.wire.rules import as_line

KINDS = {"f": "decimal numbers", "i": "whole numbers", "b": "truth values", "U": "text"}
"""Kinds of ``numpy.dtype`` that cross the wire, in words."""

READABLE = "biufU"
"""numpy's letters for numbers and text."""


@dataclass(frozen=True)
class Layout:
    """What one array has to be.

    :param kind: one of :data:`KINDS`.
    :param shape: its shape; ``None`` for a length that nothing else says.
    """

    kind: str
    shape: tuple[int | None, ...]

    @classmethod
    def of(cls, array: NDArray[Any]) -> Layout:
        """Return the layout that an array has."""
        return cls(array.dtype.kind, array.shape)

    def problem(self, kind: str, shape: tuple[int, ...]) -> str | None:
        """Return what is wrong with an array of some kind and shape, in words; ``None`` where nothing is."""
        if kind != self.kind:
            return f"holds {KINDS.get(kind, 'something else')} where {KINDS[self.kind]} were expected"
        fits = len(shape) == len(self.shape) and all(
            wanted in (None, length) for wanted, length in zip(self.shape, shape, strict=True)
        )
        return None if fits else f"has shape {_shown(shape)} where {_shown(self.shape)} was expected"


def require_layout(arrays: Mapping[str, NDArray[Any]], layouts: Mapping[str, Layout]) -> None:
    """Check that arrays are there and what they have to be; arrays without a layout are not checked.

    :raises ValueError: one line that names the array.
    """
    for name, layout in layouts.items():
        if name not in arrays:
            raise ValueError(f"{name} is missing")
        problem = layout.problem(arrays[name].dtype.kind, arrays[name].shape)
        if problem is not None:
            raise ValueError(f"{name} {problem}")


def _shown(shape: tuple[int | None, ...]) -> str:
    lengths = ["n" if length is None else str(length) for length in shape]
    return f"({lengths[0]},)" if len(lengths) == 1 else f"({', '.join(lengths)})"


@contextmanager
def open_npz(path: str | Path, largest: int | None = None) -> Iterator[zipfile.ZipFile]:
    """Open an ``.npz`` whose members are what the file holds.

    :param largest: bytes that it may have at the most.
    :raises ValueError: if it is larger, or its members would be larger than it is.
    :raises zipfile.BadZipFile: if it is no zip.
    """
    size = Path(path).stat().st_size
    if largest is not None and size > largest:
        raise ValueError(f"it has {size} bytes, where what was asked for has no more than {largest}")
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("its members are compressed, which nothing here writes")
        if sum(member.file_size for member in members) > size:
            raise ValueError("its members claim to be larger than the file")
        yield archive


class MemberReader:
    """Reads one array of an ``.npz`` from front to back without ever holding all of it.

    :param archive: the open ``.npz``.
    :param name: the member's name, without ``.npy``.
    :raises ValueError: if the member is a single value, holds Python objects (a pickle), is in Fortran order, or has
        another size than its header says.
    """

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        if f"{name}.npy" not in archive.namelist():
            raise ValueError(f"it has no array {name!r}")
        self._stream = archive.open(f"{name}.npy")
        self.shape, is_fortran, self.dtype = _read_header(self._stream, name, archive.getinfo(f"{name}.npy").file_size)
        if is_fortran or not self.shape:
            raise ValueError(f"array {name!r} has no rows that could be read one after the other")
        self._item_bytes = int(self.dtype.itemsize * np.prod(self.shape[1:], dtype=np.int64))

    def read(self, rows: int) -> NDArray[Any]:
        """Return the next ``rows`` rows, shape ``[rows, ...]``.

        :raises ValueError: if the file ends before.
        """
        data = self._stream.read(rows * self._item_bytes)
        if len(data) != rows * self._item_bytes:
            raise ValueError("the file ends in the middle of an array: it was truncated")
        return np.frombuffer(data, dtype=self.dtype).reshape((rows, *self.shape[1:]))

    def skip(self, rows: int) -> None:
        """Pass over the next ``rows`` rows."""
        remaining = rows * self._item_bytes
        while remaining > 0:
            chunk = self._stream.read(min(remaining, 1 << 20))
            if not chunk:
                raise ValueError("the file ends in the middle of an array: it was truncated")
            remaining -= len(chunk)


def _read_header(stream: IO[bytes], name: str, size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether it is in Fortran order, and type of an array whose member has ``size`` bytes."""
    try:
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, is_fortran, dtype = read(stream)
    except Exception as error:  # numpy parses a header as Python, which raises almost anything
        raise ValueError(f"array {name!r} has a damaged header ({type(error).__name__})") from error
    if dtype.kind not in READABLE:
        raise ValueError(f"array {name!r} is of type {dtype}: it is pickled, or no array of numbers or text")
    announced = dtype.itemsize
    for length in shape:  # exact, where a product in 64 bits could overflow to a small number
        announced *= length
    if announced != size - stream.tell() or min(shape, default=0) < 0:
        raise ValueError(f"array {name!r} has another size than it announces: the file was truncated or changed")
    return shape, is_fortran, dtype


def _read_array(stream: IO[bytes], name: str, size: int) -> NDArray[Any]:
    shape, is_fortran, dtype = _read_header(stream, name, size)
    content = bytearray(stream.read())
    return np.ndarray(shape, dtype=dtype, buffer=content, order="F" if is_fortran else "C")


@dataclass(frozen=True)
class Member:
    """One array on its way into a file.

    :param dtype: its kind of number.
    :param shape: its whole shape.
    :param chunks: its rows in order, in pieces of any length.
    """

    dtype: DTypeLike
    shape: tuple[int, ...]
    chunks: Iterable[NDArray[Any]]


def write_arrays(path: Path, members: dict[str, Member]) -> None:
    """Write an ``.npz`` atomically: readers see the whole file or none, also after a power cut.

    :param members: the arrays by name; their chunks are consumed one member after the other.
    :raises ValueError: if the chunks of a member do not add up to its shape.
    :raises OSError: if the disk is full; nothing is left behind then.
    """
    with written_whole(path) as stream, zipfile.ZipFile(stream, "w") as archive:
        for name, member in members.items():
            _write_member(archive, name, member)


@contextmanager
def written_whole(path: Path, previous: Path | None = None) -> Iterator[IO[bytes]]:
    """Give a file that takes its place once it is written and on the disk; one that fails leaves nothing behind.

    :param previous: where to keep the file that it replaces.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if previous is not None and path.exists():
            path.replace(previous)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def read_arrays(path: Path, largest: int | None = None) -> dict[str, NDArray[Any]]:
    """Return the arrays of an ``.npz``.

    :raises FileNotFoundError: if there is no such file.
    :raises ValueError: one line, if it is damaged, no such file, or holds anything but arrays of numbers and text.
    """
    arrays = {}
    try:
        with open_npz(path, largest) as archive:
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                with archive.open(member) as stream:
                    arrays[name] = _read_array(stream, name, member.file_size)
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged archive makes zipfile and numpy raise almost anything
        raise ValueError(f"{path.name} is damaged ({as_line(str(error))})") from error
    return arrays


def _write_member(archive: zipfile.ZipFile, name: str, member: Member) -> None:
    dtype = np.dtype(member.dtype)
    rows = 0
    # An explicit ZipInfo carries no time of day: equal arrays make equal files.
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as stream:
        header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": member.shape}
        npy.write_array_header_1_0(stream, header)
        for chunk in member.chunks:
            stream.write(np.ascontiguousarray(chunk, dtype=dtype).tobytes())
            rows += len(chunk)
    if rows != member.shape[0]:
        raise ValueError(f"array {name!r} has {rows} rows where {member.shape[0]} were announced")

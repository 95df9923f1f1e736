"""Reading an ``.npz`` that may be damaged or hostile: arrays of numbers and text, never larger than the file itself.

Whatever writes one here stores its members as they are. What is compressed was made by somebody else, and may be a
thousand times as large once it is read.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

KINDS = "biufU"
"""numpy's letters for numbers and text."""


@contextmanager
def open_npz(path: str | Path, largest: int | None = None) -> Iterator[zipfile.ZipFile]:
    """Open an ``.npz`` whose members are what the file holds.

    :param path: the file.
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


def read_npz(path: str | Path, largest: int | None = None) -> dict[str, NDArray[Any]]:
    """Return the arrays of an ``.npz`` by name.

    :param path: the file.
    :param largest: bytes that it may have at the most.
    :raises ValueError: if a member is no plain array, or anything is larger than it may be.
    :raises zipfile.BadZipFile: if it is no zip, or a member is not what its checksum says.
    """
    arrays = {}
    with open_npz(path, largest) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            with archive.open(member) as stream:
                arrays[name] = _read_array(stream, name, member.file_size)
    return arrays


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
        left = rows * self._item_bytes
        while left > 0:
            chunk = self._stream.read(min(left, 1 << 20))
            if not chunk:
                raise ValueError("the file ends in the middle of an array: it was truncated")
            left -= len(chunk)


def _read_header(stream: IO[bytes], name: str, size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether it is in Fortran order, and type of an array whose member has ``size`` bytes."""
    try:
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, is_fortran, dtype = read(stream)
    except Exception as error:  # numpy parses a header as Python, which raises almost anything
        raise ValueError(f"array {name!r} has a damaged header ({type(error).__name__})") from error
    if dtype.kind not in KINDS:
        raise ValueError(f"array {name!r} is of type {dtype}: it is pickled, or no array of numbers or text")
    announced = dtype.itemsize
    for length in shape:  # exact, where a product in 64 bits could come round to a small number
        announced *= length
    if announced != size - stream.tell() or min(shape, default=0) < 0:
        raise ValueError(f"array {name!r} has another size than it announces: the file was truncated or changed")
    return shape, is_fortran, dtype


def _read_array(stream: IO[bytes], name: str, size: int) -> NDArray[Any]:
    shape, is_fortran, dtype = _read_header(stream, name, size)
    content = bytearray(stream.read())
    return np.ndarray(shape, dtype=dtype, buffer=content, order="F" if is_fortran else "C")

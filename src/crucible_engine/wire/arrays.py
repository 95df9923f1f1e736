"""``arrays.npz``: the numbers of a finished job, written from front to back without ever holding all of them."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray

from crucible_engine.wire.npz import read_npz
from crucible_engine.wire.results import sync_folder
from crucible_engine.wire.rules import as_line


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
    """Write an ``.npz`` atomically: readers see the whole file or none, and so does who restarts after a power cut.

    :param path: where to.
    :param members: the arrays by name; their chunks are consumed one member after the other.
    :raises ValueError: if the chunks of a member do not add up to its shape.
    :raises OSError: if the disk is full; nothing is left behind then.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as stream:
            with zipfile.ZipFile(stream, "w") as archive:
                for name, member in members.items():
                    _write_member(archive, name, member)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def read_arrays(path: Path, largest: int | None = None) -> dict[str, NDArray[Any]]:
    """Return the arrays of an ``.npz``.

    :param path: the file.
    :param largest: bytes that it may have at the most.
    :raises FileNotFoundError: if there is no such file.
    :raises ValueError: one line, if it is damaged, no such file, or holds anything but arrays of numbers and text.
    """
    try:
        return read_npz(path, largest)
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged archive makes zipfile and numpy raise almost anything
        raise ValueError(f"{path.name} is damaged ({as_line(str(error))})") from error


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

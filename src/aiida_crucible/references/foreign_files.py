"""The one door for structures and trajectories that somebody else made: which formats, and how much of them.

ASE chooses a reader by a name and the first bytes, and some of its readers are more than readers of text: data bases,
folders of objects, network addresses. Those that may be chosen here read numbers and words from the one file.
"""

from __future__ import annotations

import io
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import ase.io
import numpy as np
from ase import Atoms
from ase.io.formats import UnknownFileTypeError, filetype, get_compression, open_with_compression

from aiida_crucible.nodes.bounds import LARGEST_STRUCTURE, LARGEST_TRAJECTORY, LONGEST_LINE
from crucible_engine.wire.rules import DEEPEST, first_line
from crucible_engine.wire.value_types import parse_json

STRUCTURE_FORMATS = (
    "abinit-in", "abinit-out", "aims", "aims-output", "castep-cell", "cif", "cp2k-restart", "crystal", "cube", "dftb",
    "elk", "espresso-in", "espresso-out", "extxyz", "gen", "gpumd", "lammps-data", "res", "siesta-xv", "struct",
    "struct_out", "traj", "turbomole", "v-sim", "vasp", "vasp-out", "vasp-xdatcar", "vasp-xml", "xsf", "xyz",
)  # fmt: skip
"""ASE's names of the formats of structures that are read."""

REWRITE = "check it, or write it anew as CIF (.cif), POSCAR or extxyz (.extxyz)"

ENDS_TOLERATED = 100
"""Times that a reader may ask for a line behind the end of a file."""


def read_atoms(path: Path) -> Atoms:
    """Return the structure in a file, of the formats of :data:`STRUCTURE_FORMATS`; of several the last one.

    :param path: may be compressed (gz, bz2, xz).
    :raises ValueError: one line, without the file's name, if its format is another or it is too large.
    :raises Exception: whatever ASE's reader says.
    """
    if path.stat().st_size > LARGEST_STRUCTURE:
        raise ValueError(f"it holds more than {LARGEST_STRUCTURE} bytes: give a single structure")
    with decompressed(path, LARGEST_STRUCTURE) as plain:
        kind = filetype(str(plain), read=True, guess=True)
        if kind not in STRUCTURE_FORMATS:
            raise ValueError(
                f"it is of format {kind!r} to ASE, which is not read here: write it as CIF, POSCAR or extxyz"
            )
        if kind == "traj":
            check_trajectory(plain)
        # A name may contain an @, behind which ASE would look for the number of an image.
        if kind in ("extxyz", "xyz"):
            with open_lines(plain) as lines:
                found = ase.io.read(lines, format=kind)
        else:
            found = ase.io.read(str(plain), format=kind, do_not_split_by_at_sign=True)
    assert isinstance(found, Atoms)
    return found


@contextmanager
def open_bytes(path: Path, largest: int = LARGEST_TRAJECTORY) -> Iterator[IO[bytes]]:
    """Open a file whose reader may go on for ``largest`` bytes.

    :param path: may be compressed (gz, bz2, xz); bytes are counted after decompression.
    """
    with open_with_compression(str(path), "rb") as stream, io.BufferedReader(_Counted(stream, largest)) as counted:
        yield counted


@contextmanager
def decompressed(path: Path, largest: int) -> Iterator[Path]:
    """Hand out a file as it is, or the content of a compressed one under its name without that ending.

    :param largest: bytes after decompression.
    :raises ValueError: one line, without the file's name, if there are more.
    """
    name, compression = get_compression(path.name)
    if compression is None:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, name)
        with open_bytes(path, largest) as source, plain.open("wb") as target:
            shutil.copyfileobj(source, target)
        yield plain


@contextmanager
def open_lines(path: Path) -> Iterator[IO[str]]:
    """Open a text whose lines are bounded in length, and whose reader does not go on behind its end.

    :param path: may be compressed (gz, bz2, xz).
    """
    with open_bytes(path) as stream, _Lines(stream, encoding="utf-8") as lines:
        yield lines


def check_trajectory(path: Path) -> None:
    """Refuse an ASE trajectory that is small and would become large.

    Its text can announce arrays whose values are a single number, repeated, or lie beyond the end of the file.

    :param path: a ``.traj``, not compressed.
    :raises ValueError: one line, without the file's name.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        for text in _texts_of(stream, size):
            _check_arrays(parse_json(text, finite=False), size)


class _Counted(io.RawIOBase):
    """Hands on what it reads, up to a number of bytes from the start."""

    def __init__(self, stream: IO[bytes], largest: int) -> None:
        self._stream, self._largest = stream, largest

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence == io.SEEK_END:  # the end may lie behind all that is read
            raise io.UnsupportedOperation("it is read from its start")
        return self._stream.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        content = self._stream.read(len(buffer))
        if self._stream.tell() > self._largest:
            raise ValueError(f"it holds more than {self._largest} bytes: give a part of it")
        buffer[: len(content)] = content
        return len(content)


class _Lines(io.TextIOWrapper):
    """Lines of a bounded length, and an error where a reader goes on behind the end."""

    _ends = 0

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        line = super().readline(LONGEST_LINE + 1)
        if len(line) > LONGEST_LINE:
            raise ValueError(f"it has a line of more than {LONGEST_LINE} characters")
        self._ends += not line
        if self._ends > ENDS_TOLERATED:
            raise ValueError("it ends in the middle of a frame, or a frame announces more atoms than it has")
        return line


def _texts_of(stream: IO[bytes], size: int) -> Iterator[bytes]:
    """Yield the JSON of each frame of ASE's binary format (``ase.io.ulm``, its table of offsets)."""
    stream.seek(32)
    count, place = np.frombuffer(_exactly(stream, 16), dtype="<i8").tolist()
    if not 0 <= count <= size // 8 or not 0 <= place <= size:
        raise ValueError("its table of contents lies beyond its end")
    stream.seek(place)
    for offset in np.frombuffer(_exactly(stream, 8 * count), dtype="<i8").tolist():
        if not 0 <= offset <= size:
            raise ValueError("a frame lies beyond its end")
        stream.seek(offset)
        (length,) = np.frombuffer(_exactly(stream, 8), dtype="<i8").tolist()
        if not 0 <= length <= size:
            raise ValueError("a frame lies beyond its end")
        yield _exactly(stream, length)


def _exactly(stream: IO[bytes], count: int) -> bytes:
    content = stream.read(count)
    if len(content) != count:
        raise ValueError("it breaks off")
    return content


def _check_arrays(content: Any, size: int, depth: int = 0) -> None:
    if depth > DEEPEST:
        raise ValueError("it is text within text within text")
    if isinstance(content, str) and re.search(r"__(complex_)?ndarray__", content):
        content = parse_json(content, finite=False)  # constraints are JSON within JSON
    if isinstance(content, list):
        for item in content:
            _check_arrays(item, size, depth + 1)
    if not isinstance(content, dict):
        return
    for key, value in content.items():
        if key in ("ndarray", "__ndarray__"):
            shape, dtype, last = value
            n_bytes = np.dtype(dtype).itemsize * int(np.prod([int(length) for length in shape], dtype=object))
            is_whole = (
                last + n_bytes <= size if key == "ndarray" else n_bytes <= 16 * size and np.size(last) == np.prod(shape)
            )
            if not is_whole or n_bytes < 0:
                raise ValueError("an array in it is larger than what it holds")
        else:
            _check_arrays(value, size, depth + 1)


def unreadable(path: Path, error: Exception) -> str:
    """Return one line on why ASE could not read a file, and what to do about it.

    :param error: of its reader, whose words often are of the reader rather than of the file.
    """
    if path.is_file() and not path.stat().st_size:
        return "it is empty: give another"
    if isinstance(error, UnknownFileTypeError):
        return f"ASE knows no format of that name: {REWRITE}"
    try:
        kind = filetype(str(path), read=True, guess=True)
    except Exception:  # what is said of it already is enough
        kind = None
    said = f"{error} has no place there" if isinstance(error, KeyError) else first_line(error)
    if kind == "vasp":
        return f"{said} (a POSCAR has chemical symbols in the line above the numbers of atoms): {REWRITE}"
    named = f"as {kind} " if kind else ""
    return f"it is broken {named}({said}): {REWRITE}"


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Name the file in whatever is raised of it.

    :raises ValueError: one line.
    """
    try:
        yield
    except Exception as error:
        raise ValueError(f"{path.name} cannot be read: {first_line(error)}") from error

"""Extended xyz frame by frame: what is wrong is said of the frame and the line where it is."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ase import Atoms
from ase.data import atomic_numbers
from ase.io.extxyz import read_xyz

from aiida_crucible.references.foreign_files import open_lines
from crucible_engine.wire.rules import first_line

MOST_ATOMS = 10_000_000
"""In a frame; all lines of one are in memory at once."""

ISOTOPES = {"D": "H", "T": "H"}


class BrokenFrameError(ValueError):
    """A frame that cannot be read.

    :ivar frame: its number, from 0.
    """

    def __init__(self, frame: int, message: str) -> None:
        super().__init__(message)
        self.frame = frame


def iterate_extxyz(path: Path, start: int, stop: int | None, stride: int) -> Iterator[Atoms]:
    """Yield the frames of a file from ``start`` on, up to ``stop``, every ``stride``-th.

    :param path: may be compressed (gz, bz2, xz).
    :raises BrokenFrameError: one line, if a frame cannot be read, those that are passed over included.
    """
    with open_lines(path) as stream:
        lines = enumerate(stream, 1)
        for frame in itertools.count():
            if stop is not None and frame >= stop:
                return
            chunk = _next_chunk(lines, frame)
            if chunk is None:
                return
            if frame >= start and (frame - start) % stride == 0:
                yield _parsed(*chunk, frame)


def _next_chunk(lines: Iterator[tuple[int, str]], frame: int) -> tuple[int, list[str]] | None:
    """Return the number of a frame's first line and all its lines; nothing at the end of the file."""
    header = next(((number, line) for number, line in lines if line.strip()), None)
    if header is None:
        return None
    number, line = header
    try:
        n_atoms = int(line)
    except ValueError:
        said = line.strip()[:40]
        raise BrokenFrameError(
            frame, f"line {number} is {said!r}, where a frame begins with its number of atoms: is its head missing?"
        ) from None
    if n_atoms > MOST_ATOMS:
        raise BrokenFrameError(frame, f"line {number} announces {n_atoms} atoms, more than {MOST_ATOMS}")
    body = [text for _, text in itertools.islice(lines, max(n_atoms, 0) + 1)]
    if len(body) < n_atoms + 1:
        raise BrokenFrameError(frame, f"the file ends after {max(len(body) - 1, 0)} of its {n_atoms} atoms")
    return number, [line, *body]


def _parsed(number: int, lines: list[str], frame: int) -> Atoms:
    try:
        atoms: Atoms = next(read_xyz(io.StringIO("".join(lines)), index=0))
    except Exception as error:
        raise BrokenFrameError(frame, _diagnosis(number, lines) or first_line(error)) from error
    return atoms


def _diagnosis(number: int, lines: Sequence[str]) -> str:
    """Return what is wrong with the first line of an atom that makes no sense; nothing if all seem well."""
    column = _column_of_species(lines[1])
    for place, line in enumerate(lines[2:], number + 2):
        words = line.split()
        species = words[column] if column < len(words) else ""
        if not species.isdigit() and species.capitalize() not in atomic_numbers:
            return f"species {species!r} on line {place} is no chemical element{_meant(species)}"
        stars = next((word for word in words if "**" in word), None)
        if stars is not None:
            return f"line {place} has {stars!r} for a number, which was too wide for the columns that it was written to"
    return ""


def _column_of_species(comment: str) -> int:
    """Return which word of a line is the species, as ``Properties=name:type:columns:…`` says."""
    properties = re.search(r"Properties=(\S+)", comment)
    parts = properties[1].split(":") if properties else []
    column = 0
    for name, _, width in zip(parts[::3], parts[1::3], parts[2::3], strict=False):
        if name in ("species", "symbols", "numbers", "Z"):
            return column
        column += int(width) if width.isdigit() else 1
    return 0


def _meant(species: str) -> str:
    if species in ISOTOPES:
        return f": write {ISOTOPES[species]}, masses come with the structure"
    element = re.match(r"[A-Za-z]{1,2}", species)
    for length in (2, 1):
        if element and element[0][:length].capitalize() in atomic_numbers:
            return f": write {element[0][:length].capitalize()}"
    return ""

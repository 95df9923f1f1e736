"""Compressed files for readers that know none, of a bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ase.io.formats import open_with_compression

from aiida_crucible.bounds import LARGEST_STRUCTURE, read_bounded
from aiida_crucible.importing.explained import explained

COMPRESSED = (".gz", ".bz2", ".xz")


@contextmanager
def decompressed(path: Path) -> Iterator[Path]:
    """Hand out a file as it is, or the content of a compressed one under its name without that ending.

    :raises ValueError: one line that names the file, if it cannot be decompressed or is too large.
    """
    if path.suffix not in COMPRESSED:
        yield path
        return
    with explained(path), open_with_compression(str(path), "rb") as stream:
        content = read_bounded(stream, LARGEST_STRUCTURE)
    with TemporaryDirectory() as folder:
        plain = Path(folder) / path.stem
        plain.write_bytes(content)
        del content
        yield plain

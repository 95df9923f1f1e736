"""Where a reference comes from: the file, known by its digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SourceFile:
    """A file at the time when it was read."""

    path: Path
    size: int
    """Bytes."""
    sha256: str

    def as_dict(self) -> dict[str, Any]:
        """Return name, size and digest: what stays true wherever the file is moved."""
        return {"name": self.path.name, "size": self.size, "sha256": self.sha256}


def describe_file(path: str | Path) -> SourceFile:
    """Return a file with its digest; it is read in pieces, however large it is.

    :raises ValueError: one line, if there is no such file.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise ValueError(f"{path} is not a file")
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return SourceFile(path.resolve(), path.stat().st_size, digest.hexdigest())

"""Whatever a library says of a file, in one line that names the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Name the file in whatever is raised of it.

    :raises ValueError: one line.
    """
    try:
        yield
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"{path.name} cannot be read: {lines[0]}") from error

"""A file known by its sha256, here or on another computer."""

from __future__ import annotations

import difflib
import shlex
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from aiida.orm import Computer

from crucible_engine.families.facts import START_LENGTH
from crucible_engine.families.weights import digest


def is_file(path: Path) -> bool:
    """Return whether there is a file; a name that no file can have is that of none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def near_file(path: Path) -> str | None:
    """Return the path of what is there under a name like the one that is not; ``None`` where nothing is."""
    try:
        names = [each.name for each in path.parent.iterdir() if not each.name.startswith(".")]
    except (OSError, ValueError):
        return None
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.75)
    return str(path.with_name(near[0])) if near else None


def is_folder(path: Path) -> bool:
    """Return whether there is a folder; a name that none can have is that of none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def missing_file(path: Path) -> str:
    """Return one line on a path that is no file: what is there instead, or which name near it there is."""
    if is_folder(path):
        return f"{path} is a folder: give a file in it"
    near = near_file(path)
    return f"{path} is not a file: {f'did you mean {near!r}?' if near else 'check its path'}"


def look_on_computer(computer: Computer, path: str) -> tuple[str, bytes]:
    """Return the hexadecimal sha256 of a file on a computer, taken there, and its first bytes.

    :raises ValueError: one line, if there is no such file or the computer cannot take it.
    """
    if not PurePosixPath(path).is_absolute():
        raise ValueError(f"checkpoint {path} on computer {computer.label!r} must be an absolute path")
    with computer.get_transport() as transport:
        if not transport.isfile(path):
            raise ValueError(f"checkpoint {path} is not a file on computer {computer.label!r}: check its path there")
        quoted = shlex.quote(path)
        start = f'echo "start $(head -c {START_LENGTH} {quoted} | od -An -tx1)"'
        status, output, error = transport.exec_command_wait(f"{start}; sha256sum {quoted} || shasum -a 256 {quoted}")
    if status != 0:
        raise ValueError(f"the sha256 of {path} on computer {computer.label!r} cannot be taken: {error.strip()}")
    first, *others = output.splitlines()
    return str(others[0].split()[0]).lstrip("\\"), bytes.fromhex(first.removeprefix("start"))


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
    if not is_file(path):
        raise ValueError(missing_file(path))
    return SourceFile(path.resolve(), path.stat().st_size, digest(path))

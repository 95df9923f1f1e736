"""The sha256 and the first bytes of a file, here or on another computer."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path, PurePosixPath

from aiida.orm import Computer

from crucible_engine.families.facts import CHECKPOINT_START


def digest_of_file(path: Path) -> str:
    """Return the hexadecimal sha256 of a file; it is read in pieces, however large it is."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def start_of_file(path: Path) -> bytes:
    """Return as many bytes of a file as tell whether it is a checkpoint."""
    with path.open("rb") as stream:
        return stream.read(len(CHECKPOINT_START))


def look_on_computer(computer: Computer, path: str) -> tuple[str, bytes]:
    """Return the hexadecimal sha256 of a file on a computer, taken there, and its first bytes.

    :raises ValueError: one line, if there is no such file or the computer cannot take it.
    """
    if not PurePosixPath(path).is_absolute():
        raise ValueError(f"checkpoint {path} on computer {computer.label!r} must be an absolute path")
    with computer.get_transport() as transport:
        if not transport.isfile(path):
            raise ValueError(f"checkpoint {path} is not a file on computer {computer.label!r}")
        quoted = shlex.quote(path)
        start = f'echo "start $(head -c {len(CHECKPOINT_START)} {quoted} | od -An -tx1)"'
        status, output, error = transport.exec_command_wait(f"{start}; sha256sum {quoted} || shasum -a 256 {quoted}")
    if status != 0:
        raise ValueError(f"the sha256 of {path} on computer {computer.label!r} cannot be taken: {error.strip()}")
    first, *others = output.splitlines()
    return str(others[0].split()[0]).lstrip("\\"), bytes.fromhex(first.removeprefix("start"))

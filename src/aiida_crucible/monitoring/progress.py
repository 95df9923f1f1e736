"""How far a job is: the last line of its ``progress.jsonl``, from the computer while it runs, else from AiiDA."""

from __future__ import annotations

import os
import tempfile
from pathlib import PurePosixPath
from typing import IO, Any

from aiida.common.escaping import escape_for_bash
from aiida.orm import CalcJobNode
from aiida.transports import Transport

from aiida_crucible.nodes.bounds import LARGEST_SAYING
from crucible_engine.wire.schema import PROGRESS_FILE
from crucible_engine.wire.value_types import parse_json, require_type

LINES = 3
"""The last may be half-written, and the one before it is as good."""


def last_line(text: str) -> dict[str, Any] | None:
    """Return the last line of a progress file that is whole; ``None`` where there is none."""
    for line in reversed(text.splitlines()):
        try:
            content = parse_json(line)
            require_type("the line", content, dict[str, Any])
            for name in ("time", "done", "total"):
                require_type(name, content.get(name), float)
            for name in ("rate", "temperature", "eta"):
                require_type(name, content.get(name), float | None)
        except ValueError:
            continue
        return content  # type: ignore[no-any-return]
    return None


def read_remote(transport: Transport, folder: str) -> dict[str, Any] | None:
    """Return the last progress line of a running job.

    :param transport: an open one.
    :param folder: the job's folder on the computer.
    :raises OSError: if the computer does not answer.
    """
    path = str(PurePosixPath(folder) / PROGRESS_FILE)
    status, said, _ = transport.exec_command_wait(f"tail -n {LINES} {escape_for_bash(path)} | tail -c {LARGEST_SAYING}")
    if status == 0:
        return last_line(said)
    if not transport.isfile(path):
        return None
    with tempfile.NamedTemporaryFile() as local:  # a computer without a shell or tail
        transport.getfile(path, local.name)
        return last_line(_end_of(local))


def read_retrieved(node: CalcJobNode) -> dict[str, Any] | None:
    """Return the last progress line of a job whose files were retrieved; ``None`` where there is none."""
    if "retrieved" not in node.outputs:
        return None
    repository = node.outputs.retrieved.base.repository
    if PROGRESS_FILE not in repository.list_object_names():
        return None
    with repository.open(PROGRESS_FILE, mode="rb") as stream:
        return last_line(_end_of(stream))


def _end_of(stream: IO[bytes]) -> str:
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - LARGEST_SAYING))
    return stream.read().decode(errors="replace")

"""The engine as one file that Python runs: the same sources always give the same bytes."""

from __future__ import annotations

import functools
import io
import zipfile
from collections.abc import Iterator
from importlib import resources
from typing import TYPE_CHECKING

from crucible_engine.tasks.registry import TRAVELLING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_LAUNCHER = "from crucible_engine.job.program import run_process\n\nrun_process()\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)


@functools.cache
def engine_archive() -> bytes:
    """Return the installed ``crucible_engine`` as a zipapp, with the families and tasks that other packages add to it.

    Files are sorted, dated to the zip format's epoch and stored uncompressed (compressors differ between versions of
    zlib), so that AiiDA's repository keeps one copy for all jobs of one engine.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "__main__.py", _LAUNCHER.encode())
        for module in TRAVELLING:
            for name, content in sorted(_files(resources.files(module), module.replace(".", "/"))):
                _add(archive, name, content)
    return buffer.getvalue()


def _files(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        name = f"{prefix}/{entry.name}"
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _files(entry, name)
        else:
            yield name, entry.read_bytes()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    information = zipfile.ZipInfo(name, date_time=_EPOCH)
    information.external_attr = 0o644 << 16
    archive.writestr(information, content)

"""How much memory this process may have."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from crucible_engine.schema import Condition, EngineError
from crucible_engine.similarity.plan import MIB

LIMIT_FILES = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where a container's or job's limit stands, for the two versions of control groups."""


def machine_memory() -> int:
    """Return the memory of this machine, or of the container that this process runs in, MiB."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for name in LIMIT_FILES:
        with contextlib.suppress(OSError, ValueError):
            limits.append(int(Path(name).read_text()))
    return min(limits) // MIB


def require_memory(wanted: int) -> None:
    """Refuse more memory than there is.

    :param wanted: MiB.
    :raises EngineError: ``INVALID_JOB``.
    """
    there = machine_memory()
    if wanted > there:
        raise EngineError(
            Condition.INVALID_JOB,
            f"memory is {wanted} MiB, but this machine has {there}: give less, or another machine",
        )

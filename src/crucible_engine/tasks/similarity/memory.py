"""How much memory this process may have."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator, Mapping
from pathlib import Path

from crucible_engine.tasks.similarity.plan import MIB
from crucible_engine.wire.schema import Condition, EngineError

CONTROL_GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
LIMIT_FILES = ("memory.max", "memory.limit_in_bytes")
"""Where the limit of a container or of a scheduler's job stands, for the two versions of control groups."""

UNLIMITED = 1 << 60
"""Bytes beyond which a limit is none: version 1 of control groups writes the largest number of pages for it."""


def available_memory() -> tuple[int, str]:
    """Return how much memory this process may have, MiB, and who says so."""
    limits = [(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // MIB, "this machine has")]
    limits += [(limit // MIB, "the container or job has") for limit in _group_limits() if limit < UNLIMITED]
    allocation = _allocation(os.environ)
    if allocation is not None:
        limits.append((allocation, "the scheduler's allocation has"))
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        limits.append((soft // MIB, "'ulimit -v' leaves"))
    return min(limits)


def require_memory(wanted: int) -> None:
    """Refuse more memory than there is.

    :param wanted: MiB.
    :raises EngineError: ``INVALID_JOB``.
    """
    there, whose = available_memory()
    if wanted > there:
        raise EngineError(
            Condition.INVALID_JOB,
            f"memory is {wanted} MiB, but {whose} {there} MiB: give less, or ask for more",
        )


def _group_limits() -> Iterator[int]:
    """Yield the limits of the control groups that this process is in, inner ones first, bytes."""
    with contextlib.suppress(OSError):
        for line in MEMBERSHIP.read_text().splitlines():
            _, controllers, place = line.split(":", 2)
            if controllers and "memory" not in controllers.split(","):
                continue
            top = CONTROL_GROUPS / "memory" if controllers else CONTROL_GROUPS
            group = top / place.lstrip("/")
            # In a container the place may be one that only the host sees: then its parents are read alone.
            for folder in (group, *(parent for parent in group.parents if parent.is_relative_to(top))):
                for name in LIMIT_FILES:
                    with contextlib.suppress(OSError, ValueError):
                        yield int((folder / name).read_text())


def _allocation(variables: Mapping[str, str]) -> int | None:
    """Return what SLURM has given to the job on this node, MiB; ``None`` where it does not say."""
    with contextlib.suppress(KeyError, ValueError):
        return int(variables["SLURM_MEM_PER_NODE"]) or None
    with contextlib.suppress(KeyError, ValueError):
        return int(variables["SLURM_MEM_PER_CPU"]) * int(variables["SLURM_CPUS_ON_NODE"])
    return None

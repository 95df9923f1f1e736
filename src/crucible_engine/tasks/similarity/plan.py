"""How a kernel is cut into tiles, so that no more than a given memory is needed at once, and how much there is."""

from __future__ import annotations

import contextlib
import itertools
import os
import resource
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crucible_engine.wire.schema import Condition, EngineError

MIB = 1024**2
FLOAT = 8
LARGEST_BLOCK = 16
"""Frames: a tile of 256 pairs takes seconds at 320 atoms, which is what a kill may lose."""
PANEL_ENTRIES = 1 << 17
"""Local similarities that are worked on at once, one MiB: what a core's cache holds."""
PANEL_COPIES = 4
"""A panel, its weights and their products, and the panel as the matrix product leaves it."""
FULL_COPIES = 4
"""The kernel, its centred copy, and what an eigensolver takes."""

CONTROL_GROUPS = Path("/sys/fs/cgroup")

MEMBERSHIP = Path("/proc/self/cgroup")

LIMIT_FILES = ("memory.max", "memory.limit_in_bytes")
"""Where the limit of a container or of a scheduler's job stands, for the two versions of control groups."""

UNLIMITED = 1 << 60
"""Bytes beyond which there is no limit: version 1 of control groups writes the largest number of pages for it."""


@dataclass(frozen=True)
class Block:
    """Frames with the same number of atoms, one after the other.

    :param n_atoms: atoms of each.
    """

    frames: tuple[int, ...]
    n_atoms: int

    @property
    def n_rows(self) -> int:
        """Atoms of all together."""
        return len(self.frames) * self.n_atoms


@dataclass(frozen=True)
class Plan:
    """The tiles of a symmetric kernel.

    :param blocks: the frames, each in one block.
    :param n_features: entries of an environment's descriptor.
    :param resident: how many blocks' descriptors fit into the memory; at least 2, or all.
    :param workers: how many threads have room for their panels.
    """

    blocks: tuple[Block, ...]
    n_features: int
    resident: int
    workers: int

    @property
    def n_frames(self) -> int:
        """Frames of all blocks."""
        return sum(len(block.frames) for block in self.blocks)

    @property
    def n_pairs(self) -> int:
        """Pairs of frames, each once, and each frame with itself."""
        return self.n_frames * (self.n_frames + 1) // 2

    @property
    def descriptor_bytes(self) -> int:
        """Bytes of all descriptors."""
        return sum(block.n_rows for block in self.blocks) * self.n_features * FLOAT

    def tiles(self) -> Iterator[tuple[int, int]]:
        """Yield the blocks of each tile of the upper half.

        Every second row of tiles runs backwards: its first tiles find the descriptors of the last ones in memory.
        """
        count = len(self.blocks)
        for first in range(count):
            others = range(first, count)
            yield from ((first, second) for second in (reversed(others) if first % 2 else others))

    def tile_shapes(self) -> dict[tuple[int, int], tuple[int, int]]:
        """Return the frames of both blocks of each tile."""
        return {(i, j): (len(self.blocks[i].frames), len(self.blocks[j].frames)) for i, j in self.tiles()}

    def pairs_of(self, tile: tuple[int, int]) -> int:
        """Return how many pairs of frames a tile has."""
        n, m = (len(self.blocks[index].frames) for index in tile)
        return n * (n + 1) // 2 if tile[0] == tile[1] else n * m


def make_plan(sizes: Sequence[int], n_features: int, memory: int, workers: int) -> Plan:
    """Return the plan that needs no more than a memory.

    Half of it is for two blocks of descriptors, whatever the threads: the tiles of a job that is continued are the same
    although the machine may have other cores free by then.

    :param sizes: atoms of each frame.
    :param memory: what arrays may take, MiB.
    :param workers: threads at most, each with a panel of its own.
    :raises EngineError: ``INVALID_JOB``, if not even two frames at a time fit, or the kernel itself does not.
    """
    largest = max(sizes)
    panel = PANEL_COPIES * max(PANEL_ENTRIES, largest**2) * FLOAT
    frame = largest * n_features * FLOAT
    # The descriptors of a frame are there twice while they are made.
    least = max(panel + 4 * frame, FULL_COPIES * len(sizes) ** 2 * FLOAT)
    if memory * MIB < least:
        raise EngineError(
            Condition.INVALID_JOB,
            f"memory is {memory} MiB, but {len(sizes)} frames of up to {largest} atoms with {n_features} features need "
            f"at least {-(-least // MIB)} MiB: raise it, or choose fewer frames",
        )
    length = max(1, min(LARGEST_BLOCK, memory * MIB // 2 // (2 * frame)))
    blocks = tuple(_blocks(sizes, length))
    remaining = memory * MIB - 2 * length * frame - 2 * frame
    workers = max(1, min(workers, remaining // panel))
    room = memory * MIB - workers * panel - 2 * frame
    resident = min(len(blocks), max(2, room // (length * frame)))
    return Plan(blocks, n_features, resident, workers)


def _blocks(sizes: Sequence[int], length: int) -> Iterator[Block]:
    """Yield blocks of at most so many frames, in the order of the frames.

    The order matters: a match that stops at a threshold is not quite the same with its structures exchanged, and the
    kernel's half that is computed is the one of a first structure that comes before the second.
    """
    for n_atoms, group in itertools.groupby(range(len(sizes)), key=sizes.__getitem__):
        same = list(group)
        yield from (Block(tuple(same[start : start + length]), n_atoms) for start in range(0, len(same), length))


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

"""How many CPU threads an engine uses: as many as its job was given, and not torch's default.

Two engines that each take every core of a machine are several times slower than one after the other, because their
threads wait for each other's. So the number comes from the first of these that says something:

1. the job (``threads`` in ``job.json``);
2. the scheduler's allocation (:data:`SCHEDULER_VARIABLES`), no more than the cores that this process may run on;
3. ``OMP_NUM_THREADS``;
4. the machine: engines of the same user that run at the same time share the cores that this process may run on, and
   shares are adapted as engines come and go.

For the last, every engine keeps a locked file in a folder of the user's (:func:`runtime_folder`). The operating system
releases the lock when the engine ends, however it ends, so that no crash leaves a share behind. Only the standard
library is needed here: the variables that BLAS and OpenMP read must be set before numpy or torch is imported.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import re
import sys
import tempfile
import time
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

SCHEDULER_VARIABLES = {
    "SLURM_JOB_ID": ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE", "SLURM_JOB_CPUS_PER_NODE"),
    "PBS_JOBID": ("NCPUS", "PBS_NUM_PPN"),
    "LSB_JOBID": ("LSB_DJOB_NUMPROC", "LSB_MAX_NUM_PROCESSORS"),
    "JOB_ID": ("NSLOTS",),
    "HQ_JOB_ID": ("HQ_CPUS",),
}
"""A variable that says that a scheduler runs this process, and those that say on how many cores: SLURM, PBS and Torque,
LSF, Grid Engine, HyperQueue. Of several schedulers the last counts, which runs inside the others' allocations."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "1"}
"""How threads wait for each other on cores that are shared: some ten microseconds awake, then asleep.

Another engine may start at any moment, and until both have adapted threads that wait must not burn cores. But to go to
sleep between any two operations of a small network takes longer than these: CHGNet takes 1.3 to 1.8 times as long then.
"""
FOLDER_VARIABLE = "CRUCIBLE_RUNTIME_FOLDER"
ADAPT_INTERVAL = 1.0
"""Seconds between two looks at who else is running."""


def usable_cores() -> int:
    """Return on how many cores this process may run, by its affinity and its control group's quota; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, _quota_cores()))


def _quota_cores() -> int:
    """Return the whole cores of a container's CPU quota; a huge number where there is none."""
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return int(int(quota) / int(period)) if quota != "max" else sys.maxsize
    with contextlib.suppress(OSError, ValueError):
        folder = Path("/sys/fs/cgroup/cpu")
        quota_us = int((folder / "cpu.cfs_quota_us").read_text())
        if quota_us > 0:
            return int(quota_us / int((folder / "cpu.cfs_period_us").read_text()))
    return sys.maxsize


def granted_threads(requested: int | None, environment: Mapping[str, str], cores: int) -> tuple[int, str] | None:
    """Return how many threads were given and by what, or ``None`` where nothing was said.

    :param requested: the job's ``threads``.
    """
    if requested is not None:
        return requested, "job"
    for job, variables in reversed(SCHEDULER_VARIABLES.items()):
        for variable in variables if job in environment else ():
            if (count := _count(variable, environment.get(variable, ""))) is not None:
                return min(count, cores), variable
    if (count := _count("OMP_NUM_THREADS", environment.get("OMP_NUM_THREADS", ""))) is not None:
        return count, "OMP_NUM_THREADS"
    return None


def _count(variable: str, text: str) -> int | None:
    """Return the number in a variable: ``4``, SLURM's ``4(x2)``, OpenMP's ``4,2``, HyperQueue's list of core ids."""
    if variable == "HQ_CPUS":
        return len(text.split(",")) if text else None
    leading = re.match(r"\s*([1-9]\d*)", text)
    return int(leading[1]) if leading else None


def fair_share(cores: int, demands: list[int | None], rank: int) -> int:
    """Return how many threads an engine may use that shares a machine.

    :param demands: of every live engine, oldest first: the number that it was given, ``None`` if it shares.
    :param rank: which of them asks; it shares.
    """
    free = cores - sum(demand for demand in demands if demand is not None)
    sharing = [index for index, demand in enumerate(demands) if demand is None]
    share, extra = divmod(max(0, free), len(sharing))
    return max(1, share + (sharing.index(rank) < extra))


def runtime_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder in which the user's engines on this machine see each other.

    It does not follow ``TMPDIR`` or ``XDG_RUNTIME_DIR`` where ``/tmp`` exists: a daemon and a shell often differ in
    those, and their engines would not meet.
    """
    if FOLDER_VARIABLE in environment:
        return Path(environment[FOLDER_VARIABLE])
    shared = Path("/tmp")
    return (shared if shared.is_dir() else Path(tempfile.gettempdir())) / f"crucible-engine-{os.getuid()}"


class Registry:
    """The live engines of this user on this machine, this one among them.

    :param folder: where every engine keeps its locked file.
    :param demand: how many threads this one was given; ``None`` if it shares.
    :raises OSError: if the folder cannot be used, or is another user's.
    """

    def __init__(self, folder: Path, demand: int | None) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise PermissionError(f"{folder} belongs to somebody else")
        self._path = folder / f"{time.time_ns():020d}-{os.getpid()}"
        self._demand = demand
        hidden = folder / f".{self._path.name}"
        self._stream = hidden.open("w")
        self._stream.write("" if demand is None else str(demand))
        self._stream.flush()
        # Locked before it gets the name that others look for: no engine ever takes it for that of one that has ended.
        fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        hidden.rename(self._path)

    def demand(self, count: int) -> None:
        """Tell the other engines that this one uses a fixed number of threads from now on, and shares cores no more."""
        self._demand = count
        self._stream.seek(0)
        self._stream.write(str(count))
        self._stream.truncate()
        self._stream.flush()

    def share(self, cores: int) -> int:
        """Return this engine's fair share of the cores among the live engines."""
        demands: list[int | None] = []
        rank = 0
        for path in sorted(self._path.parent.glob("[0-9]*")):
            if path == self._path:
                rank = len(demands)
                demands.append(self._demand)
            elif (text := _text_of_living(path)) is not None:
                demands.append(int(text) if text else None)
        return fair_share(cores, demands or [None], rank)

    def leave(self) -> None:
        """Give this engine's share back."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # of what a full disk did not take before
            self._stream.close()


def _text_of_living(path: Path) -> str | None:
    """Return what an engine's file says, or ``None`` (and no file any more) if its engine has ended."""
    with contextlib.suppress(FileNotFoundError), path.open() as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return stream.read()
        path.unlink(missing_ok=True)
    return None


class ThreadControl:
    """Keeps the number of threads of this process what it should be.

    :ivar count: how many threads are used now.
    :ivar rule: what gave the number: ``job``, the name of a variable, ``shared`` or, where engines cannot see each
        other, ``cores``.
    :ivar cores: on how many cores this process may run.
    :ivar is_fixed: whether the number stays although other engines come and go.
    :param requested: the job's ``threads``.
    :param environment: environment variables, read and set.
    """

    def __init__(self, requested: int | None, environment: MutableMapping[str, str]) -> None:
        self.cores = usable_cores()
        self._registry: Registry | None = None
        self._looked = -math.inf
        self.is_fixed = False
        granted = granted_threads(requested, environment, self.cores)
        self.count, self.rule = granted or (self.cores, "shared")
        if self.rule in ("job", "shared", "OMP_NUM_THREADS"):
            self._register(runtime_folder(environment))
        self._export(environment)

    def _register(self, folder: Path) -> None:
        try:
            self._registry = Registry(folder, None if self.rule == "shared" else self.count)
        except OSError:
            self.rule = "cores" if self.rule == "shared" else self.rule
            return
        if self.rule == "shared":
            self.count = self._registry.share(self.cores)

    def _export(self, environment: MutableMapping[str, str]) -> None:
        environment.update(dict.fromkeys(THREAD_VARIABLES, str(self.count)))
        if self.rule in ("shared", "cores"):
            environment.update(WAITING)

    def fix(self, count: int | None) -> None:
        """Keep a number of threads from now on: the last bits of a sum depend on it.

        A number that the job, the scheduler or a variable gave stays.

        :param count: threads, as far as there are cores for them; ``None`` keeps those of the moment.
        """
        if self.rule not in ("shared", "cores"):
            return
        self.count = min(count or self.count, self.cores)
        self.is_fixed = True
        if self._registry is not None:
            with contextlib.suppress(OSError):
                self._registry.demand(self.count)
        self.apply()

    def adapt(self) -> None:
        """Follow the engines that came and went, at most once in :data:`ADAPT_INTERVAL` seconds; cheap otherwise."""
        now = time.monotonic()
        if self.rule != "shared" or self.is_fixed or self._registry is None or now - self._looked < ADAPT_INTERVAL:
            return
        self._looked = now
        with contextlib.suppress(OSError):
            self.count = self._registry.share(self.cores)
        self.apply()

    def apply(self) -> None:
        """Give torch, where it is loaded, the present number of threads."""
        torch: Any = sys.modules.get("torch")
        if torch is not None and torch.get_num_threads() != self.count:
            torch.set_num_threads(self.count)

    def leave(self) -> None:
        """Give this engine's share back to the others."""
        if self._registry is not None:
            self._registry.leave()
            self._registry = None

    def report(self) -> dict[str, Any]:
        """Return ``count``, ``rule`` and ``cores`` as results carry them."""
        return {"count": self.count, "rule": self.rule, "cores": self.cores}

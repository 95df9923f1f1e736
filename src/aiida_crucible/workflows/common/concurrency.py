"""How many jobs to run at once, and with how many cores each, where the user says nothing: for throughput.

One single-threaded job a core is faster than one job on all of them (PbTiO3 with CHGNet, two cores: 11.4 against 9.4
steps/s). A GPU is filled by one job. A scheduler knows best itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from aiida.engine import ToContext
from aiida.orm import AbstractCode, ProcessNode

from aiida_crucible.calculations.validation import ENVIRONMENT_KEY
from aiida_crucible.workflows.common.workchain import CrucibleWorkChain
from crucible_engine.job.threads import usable_cores


class Share(NamedTuple):
    """What jobs get that run side by side."""

    at_once: int
    """Jobs at once."""
    cores: int | None
    """Of each job; ``None`` leaves it to the scheduler or the engine."""


class RunsInWaves(CrucibleWorkChain):
    """A WorkChain with several jobs, of which as many run at once as the computer is good for.

    In the context: ``next_job``, how many were begun, and ``running``, the names of those that run now.
    """

    def job_names(self) -> list[str]:
        """Return the names of all jobs, in the order in which they are begun."""
        raise NotImplementedError

    def share(self) -> Share:
        """Return how many of them run at once."""
        raise NotImplementedError

    def submit_job(self, name: str, cores: int | None) -> ProcessNode:
        """Begin a job."""
        raise NotImplementedError

    def has_jobs(self) -> bool:
        """Return whether there are jobs to run."""
        return bool(self.ctx.next_job < len(self.job_names()))

    def run_jobs(self) -> ToContext:
        """Run as many jobs as go at once."""
        share, first = self.share(), self.ctx.next_job
        self.ctx.running = self.job_names()[first : first + share.at_once]
        self.ctx.next_job = first + len(self.ctx.running)
        return ToContext(**{name: self.submit_job(name, share.cores) for name in self.ctx.running})


def choose_share(code: AbstractCode, job: Mapping[str, Any], n_jobs: int, wanted: int | None) -> Share:
    """Return how many of several equal jobs to run at once, and on how many cores each.

    :param code: the environment, on a computer.
    :param job: inputs of the jobs; cores that their ``metadata.options`` state stay.
    :param n_jobs: how many could run at once.
    :param wanted: what the user says; ``None`` where nothing.
    """
    options = (job.get("metadata") or {}).get("options") or {}
    computer = code.computer
    is_shared = computer.scheduler_type == "core.direct"
    is_here = computer.transport_type == "core.local"
    on_gpu = _computes_on_gpu(code, options.get("device", "auto"), is_here)
    if not is_shared:
        return Share(min(n_jobs, wanted or n_jobs), None)
    if on_gpu or not is_here:
        return Share(min(n_jobs, wanted or 1), None)
    cores = usable_cores()
    at_once = min(n_jobs, wanted or cores)
    if at_once == 1 or "num_cores_per_mpiproc" in (options.get("resources") or {}):
        return Share(at_once, None)
    return Share(at_once, max(1, cores // at_once))


def _computes_on_gpu(code: AbstractCode, device: str, is_here: bool) -> bool:
    """Tell whether a job will use a GPU; of another machine with a GPU's torch, it is supposed to."""
    if device != "auto":
        return device != "cpu"
    torch = code.base.extras.get(ENVIRONMENT_KEY, {}).get("torch")
    if torch is None or torch.endswith("+cpu"):
        return False
    return not is_here or any(Path("/dev").glob("nvidia[0-9]*"))

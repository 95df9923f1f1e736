"""What of a WorkChain is still to come, and how long all of it will take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from aiida_crucible.analysis.dynamics.sweep_settings import plan_jobs, validate_sweep
from aiida_crucible.monitoring.progress import JobStatus
from aiida_crucible.monitoring.tree import Snapshot, Tree, newest_of_each_kind

VERIFY, RELAX, EVALUATE, DYNAMICS = "verify", "relax", "evaluate", "dynamics"
PHONON, SWEEP = "crucible.phonon", "crucible.sweep"
RELIABILITY, VIBRATIONS = "crucible.reliability", "crucible.vibrations"

TASKS = {
    "crucible.verify": VERIFY,
    "crucible.relax.base": RELAX,
    "crucible.evaluate.base": EVALUATE,
    "crucible.dynamics.base": DYNAMICS,
}
"""Of the engine's jobs, by what begins one."""
NAMES = {VERIFY: "verification, unless it is found", RELAX: "relaxation", EVALUATE: "forces", DYNAMICS: "dynamics"}


@dataclass(frozen=True)
class Planned:
    """A job that does not exist yet.

    :param task: of the engine.
    :param what: for a person, e.g. ``dynamics 300 K``.
    """

    task: str
    what: str


def is_foreseen(process: Snapshot) -> bool:
    """Return whether it is known which jobs a process will begin."""
    return process.kind in (RELIABILITY, PHONON, SWEEP, VIBRATIONS)


def planned_jobs(tree: Tree) -> list[Planned]:
    """Return the jobs that a WorkChain will still begin if all goes well, in their order; none once it has ended.

    Known of ``crucible.reliability``, ``phonon``, ``sweep`` and ``vibrations``; of others nothing is.
    """
    if tree.root.is_terminated or not is_foreseen(tree.root):
        return []
    return [*_about_to_begin(tree), *_not_begun(tree, tree.root)]


def _not_begun(tree: Tree, process: Snapshot) -> list[Planned]:
    """Return the jobs of a WorkChain that nothing has begun yet which would begin them."""
    if process.is_terminated:
        return []
    kind, node, called = process.kind, process.node, tree.called(process)
    begun = newest_of_each_kind(called)
    inputs = set(node.base.links.get_incoming().all_link_labels())
    found = []
    if "crucible.verify" not in begun and "verification" not in inputs:
        found.append(Planned(VERIFY, "verification, unless it is found"))
    relaxes = kind == RELIABILITY or any(label.startswith("relax__") for label in inputs)
    if relaxes and "crucible.relax.base" not in begun:
        found.append(Planned(RELAX, "relaxation"))
    if kind == RELIABILITY:
        found += _not_begun(tree, begun[PHONON]) if PHONON in begun else [Planned(EVALUATE, "phonons")]
        if SWEEP in begun:
            found += _not_begun(tree, begun[SWEEP])
        elif any(label.startswith("sweep__") for label in inputs):
            found += _dynamics(node.inputs.sweep.parameters, [])
    elif kind in (PHONON, VIBRATIONS) and "crucible.evaluate.base" not in begun:
        found.append(Planned(EVALUATE, "phonons" if kind == PHONON else "vibrations"))
    if (
        kind == VIBRATIONS
        and "crucible.dynamics.base" not in begun
        and any(name.startswith("base__") for name in inputs)
    ):
        found.append(Planned(DYNAMICS, "dynamics"))
    elif kind == SWEEP:
        begun_runs = [child for child in called if child.kind == "crucible.dynamics.base"]
        found += _dynamics(node.inputs.parameters, begun_runs)
    return found


def _about_to_begin(tree: Tree) -> list[Planned]:
    """Return the jobs of WorkChains that have begun and have none yet: seconds, or as long as the daemon is busy."""
    found = []
    for each in tree.processes:
        task = TASKS.get(each.kind)
        if task is None or each.is_terminated or any(child.is_job for child in tree.called(each)):
            continue
        temperature = each.label.rpartition(" · T")[2]
        what = f"{task} {temperature} K" if task == DYNAMICS and temperature.replace(".", "").isdigit() else NAMES[task]
        found.append(Planned(task, what))
    return found


def seconds_left(planned: Sequence[Planned], statuses: Sequence[JobStatus]) -> float | None:
    """Return how long it takes until all have ended, s; ``None`` where that cannot be told yet.

    Jobs that are still to come, or wait in a queue, take as long as those of the same task that run or have run, and as
    many of them run at once as do now. How long a queue lasts for other reasons nobody can tell.

    :param planned: see :func:`planned_jobs`.
    :param statuses: of the jobs that there are.
    """
    unfinished = [each for each in statuses if not each.job.is_terminated]
    running = {each.job.pk: float(left) for each in unfinished if (left := (each.line or {}).get("eta")) is not None}
    tasks = [_task(each.job) for each in unfinished if each.job.pk not in running] + [each.task for each in planned]
    at_once = max(1, sum(_task(each.job) == DYNAMICS for each in unfinished if each.job.pk in running))
    total = max(running.values(), default=0.0)
    for task in dict.fromkeys(tasks):
        known = [length for each in statuses if _task(each.job) == task and (length := _length(each)) is not None]
        if not known and task != VERIFY:
            return None
        rounds = ceil(tasks.count(task) / (at_once if task == DYNAMICS else 1))
        total += rounds * (sum(known) / len(known) if known else 0.0)
    return total


def _dynamics(parameters: Any, begun: Sequence[Snapshot]) -> list[Planned]:
    """Return the jobs of a sweep that were not begun."""
    jobs = plan_jobs(validate_sweep(parameters.get_dict()))
    return [
        Planned(DYNAMICS, f"dynamics {', '.join(f'{temperature:g}' for temperature in job.temperatures)} K")
        for job in jobs[len(begun) :]
    ]


def _task(job: Snapshot) -> str:
    return job.kind.rpartition(".")[2]


def _length(status: JobStatus) -> float | None:
    """Return how long a job takes from its beginning to its end, s."""
    job = status.job
    if job.is_terminated:
        return (job.mtime - job.ctime).total_seconds() if job.exit_status == 0 else None
    line = status.line or {}
    done, rate, left = line.get("done"), line.get("rate"), line.get("eta")
    return None if not rate or left is None or done is None else float(done) / float(rate) + float(left)

"""The tasks, and the environments that models and tasks need: look-up.

Only the standard library is imported, so that both sides of the wire can read it. Each folder beside this module is a
task, whose package has its facts as ``TASK``; so is what the entry points ``aiida_crucible.tasks`` of other packages
name.
"""

from __future__ import annotations

import logging
from types import ModuleType

from crucible_engine import tasks
from crucible_engine.families.facts import Family
from crucible_engine.families.registry import FAMILIES
from crucible_engine.tasks.facts import Task, Toolset
from crucible_engine.wire.extensions import FOREIGN, collect
from crucible_engine.wire.rules import shown, suggestion
from crucible_engine.wire.schema import Condition, EngineError, Job

_log = logging.getLogger(__name__)


def _facts(package: ModuleType, name: str) -> Task:
    task = getattr(package, "TASK", None)
    if not isinstance(task, Task):
        raise ValueError("its package has no TASK of crucible_engine.tasks.facts")
    if task.name != name:
        raise ValueError(f"its TASK calls itself {task.name!r}")
    return task


TASKS: dict[str, Task] = {
    task.name: task for task in sorted(collect(tasks, "task", _facts).values(), key=lambda task: (task.rank, task.name))
}
"""The tasks by name."""

TRAVELLING = ("crucible_engine", *FOREIGN)
"""The packages that a job takes to the compute node: the engine, and the folders that other packages add to it."""


def _environments() -> dict[str, Family | Toolset]:
    owners: list[Family | Toolset] = [*FAMILIES.values(), *(task.toolset for task in TASKS.values() if task.toolset)]
    found: dict[str, Family | Toolset] = {}
    for owner in sorted(owners, key=lambda owner: owner.folder in FOREIGN):
        first = found.setdefault(owner.name, owner)
        if first != owner:
            _log.warning(
                "%s gets no environment %r: that is the name of the one for %s", owner.folder, owner.name, first.folder
            )
    return found


ENVIRONMENTS = _environments()
"""What an environment can be for, by name: the model families, and the packages that tasks compute with instead."""

TOOLSETS = {name: owner for name, owner in ENVIRONMENTS.items() if isinstance(owner, Toolset)}
"""The latter alone."""


def toolset_of(task: str) -> Toolset:
    """Return what a task without a model computes with."""
    toolset = TASKS[task].toolset
    assert toolset is not None
    return toolset


def find_environment(name: str) -> Family | Toolset:
    """Return the model family or toolset that an environment is for.

    :raises ValueError: one line, if there is none of that name.
    """
    if name not in ENVIRONMENTS:
        raise ValueError(f"model family {name!r} is unknown: {suggestion(name, list(ENVIRONMENTS))}")
    return ENVIRONMENTS[name]


def require_task(job: Job) -> None:
    """Check that a job's task is known, and that it comes with a model exactly where it needs one.

    :raises EngineError: ``INVALID_JOB``.
    """
    problem = _problem(job)
    if problem is not None:
        raise EngineError(Condition.INVALID_JOB, problem)


def _problem(job: Job) -> str | None:
    if job.task not in TASKS:
        return f"task {shown(job.task)} is unknown: choose one of {', '.join(TASKS)}"
    without_model = TASKS[job.task].toolset is not None
    if without_model and job.model is not None:
        return f"task {job.task!r} needs no model: leave it null"
    return None if without_model or job.model is not None else "the model of the job is no JSON object"

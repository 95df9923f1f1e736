"""What is known of a task, and of the packages that a task without a potential computes with.

Only the standard library is imported, so that both sides of the wire can read it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crucible_engine.families.facts import Packaged
from crucible_engine.wire.rules import Parameter

if TYPE_CHECKING:
    from crucible_engine.job.preflight import Survey

Values = dict[str, Any]
LAST = 100


@dataclass(frozen=True)
class Toolset(Packaged):
    """Packages for tasks without a potential; each set has an environment of its own.

    :param folder: the package that holds its lock.
    :param find_device: returns torch's name of the device to compute on, from what the job asks for.
    :param torch: the release of torch that it computes with on a GPU; ``None``, if it cannot.
    """

    folder: str
    find_device: Callable[[str], str]
    torch: str | None = None


@dataclass(frozen=True)
class Task:
    """A task: one folder with these facts as ``TASK`` and a module ``run``, whose function of that name computes.

    It is given the job, its parameters complete, the loaded model (``None``, if it needs none) and a
    :class:`crucible_engine.job.context.Context`, and returns a ``TaskResult``.

    :param parameters: the rules of its parameters, by name.
    :param complete: completes parameters by each other in place, and refuses those that contradict.
    :param toolset: what it computes with instead of a model; ``None`` for a task that needs a model.
    :param needs_structures: whether a job without structures is an error.
    :param has_reference: whether a job may bring a reference structure, which then is part of what it computes.
    :param has_labels: whether a job brings the labels of its structures, which then are part of what it computes.
    :param changeable: parameters that change how fast numbers come, or how many, and not which: what was begun is
        continued whatever they are.
    :param needs_stress: returns what of its complete parameters needs stresses, in words that begin with the task's
        name; ``None`` if nothing does.
    :param without_stress: what to do instead, where a model has none.
    :param check_structures: refuses structures before any model is loaded: from what is known of them, the complete
        parameters, and the name of the environment's family.
    :param rank: where it stands in lists.
    """

    name: str
    parameters: dict[str, Parameter]
    complete: Callable[[Values], None] | None = None
    toolset: Toolset | None = None
    needs_structures: bool = True
    has_reference: bool = False
    has_labels: bool = False
    changeable: tuple[str, ...] = ()
    needs_stress: Callable[[Mapping[str, Any]], str | None] | None = None
    without_stress: str = ""
    check_structures: Callable[[Survey, Values, str], None] | None = None
    rank: int = LAST

    @property
    def folder(self) -> str:
        """Return the package that holds all of it."""
        return f"crucible_engine.tasks.{self.name}"

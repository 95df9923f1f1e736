"""The parameters of each task: one table that both sides validate against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crucible_engine.tasks.registry import TASKS
from crucible_engine.wire.rules import Parameter, complete

PARAMETERS: dict[str, dict[str, Parameter]] = {name: task.parameters for name, task in TASKS.items()}


def needs_stress(task: str, parameters: Mapping[str, Any]) -> str | None:
    """Return what of a task needs stresses, in words; ``None`` if nothing does."""
    find = TASKS[task].needs_stress
    return None if find is None else find(parameters)


def lack_of_stress(model: str, needed: str) -> str:
    """Return the line for a model without stresses that something needs; both in words."""
    instead = TASKS[needed.partition(" ")[0]].without_stress
    return f"{model} gives no stress, which {needed} needs: {instead}, or choose another model"


def validate_parameters(task: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a task complete with defaults and normalised to their kinds.

    :raises ParameterError: one line that names the parameter, what is wrong and what is allowed.
    """
    values = complete(task, PARAMETERS[task], given)
    if (finish := TASKS[task].complete) is not None:
        finish(values)
    return values

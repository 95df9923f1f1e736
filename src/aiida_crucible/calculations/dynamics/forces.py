"""What a dynamics that chooses between a model's two kinds of forces, or uses both, needs of its model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.orm import AbstractCode, Dict

from aiida_crucible.calculations.verifications import lacks
from aiida_crucible.nodes.model import ModelData
from crucible_engine.tasks.dynamics.multiple_steps.checks import check_family, needs_both_forces
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.schema import EngineError


def check_forces(inputs: Mapping[str, Any]) -> None:
    """Refuse a model that has one kind of forces, as far as its family, settings and verifications tell.

    :raises ValueError: one line.
    """
    model, parameters = inputs.get("model"), inputs.get("parameters")
    if model is not None and parameters is not None:
        values = validate_parameters("dynamics", parameters.get_dict())
        require_both_forces(values, model, inputs.get("code"))


def require_both_forces(
    values: Mapping[str, Any], model: ModelData, code: AbstractCode | None, verification: Dict | None = None
) -> None:
    """Refuse a model that has one kind of forces where complete parameters of dynamics need both.

    :param code: the environment; ``None`` where it is not known yet.
    :param verification: `results` of a verification; the latest one of the model in the environment if ``None``.
    :raises ValueError: one line.
    """
    try:
        check_family(values, model.family, model.settings)
    except EngineError as error:
        raise ValueError(str(error)) from None
    needed = needs_both_forces(values)
    if needed and code is not None and lacks("direct_forces", code, model, verification):
        raise ValueError(
            f"{needed} needs both kinds of forces, but model {model.title} has no direct ones: leave it out, or choose "
            "another model"
        )

"""Ports that several processes declare alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiida.engine import ProcessSpec
from aiida.orm import AbstractCode, Dict, StructureData, TrajectoryData

from aiida_crucible.analysis.crystal.cells import require_no_vacuum
from aiida_crucible.calculations import validation
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import require_crystal, to_atoms
from crucible_engine.wire.rules import plain, shown
from crucible_engine.wire.schema import EngineError

ENVIRONMENT_HELP = "The Python of an environment in which the model's package can be imported."

Complete = Callable[[dict[str, Any]], dict[str, Any]]
"""Returns settings complete with defaults and normalised; raises ``ValueError`` with one line."""


def model_inputs(spec: ProcessSpec) -> None:
    """Declare the inputs of every WorkChain that runs a model: which one, and where."""
    code_input(spec, ENVIRONMENT_HELP)
    spec.input("model", valid_type=ModelData, help="Which potential.")


def code_input(spec: ProcessSpec, description: str) -> None:
    """Declare the environment of a WorkChain's jobs."""
    check = validation.validator(validation.check_code)
    spec.input("code", valid_type=AbstractCode, validator=check, help=description)


def settings_input(
    spec: ProcessSpec, name: str, complete: Complete, description: str, has_default: bool = True
) -> None:
    """Declare settings that are given as a ``dict`` or ``Dict``, and stored complete with defaults.

    :param name: of the input, as messages call it too.
    :param complete: see :data:`Complete`.
    :param has_default: whether nothing has to be given.
    """
    default = {"default": lambda: Dict(complete({}))} if has_default else {}
    spec.input(
        name,
        valid_type=Dict,
        serializer=settings_serializer(name, complete),
        validator=validation.validator(settings_check(complete)),
        help=description,
        **default,
    )


def structures_input(spec: ProcessSpec, description: str, required: bool = True) -> None:
    """Declare the namespace ``structures``: what a process treats, by the user's names."""
    spec.input_namespace(
        "structures",
        valid_type=StructureData,
        dynamic=True,
        required=required,
        validator=validation.validator(validation.check_structures),
        help=description,
    )


def trajectories_input(spec: ProcessSpec, description: str, required: bool = True) -> None:
    """Declare the namespace ``trajectories``: frames that a process treats, by the user's names."""
    spec.input_namespace(
        "trajectories",
        valid_type=TrajectoryData,
        dynamic=True,
        required=required,
        validator=validation.validator(validation.check_trajectories),
        help=description,
    )


def settings_check(complete: Complete) -> validation.Check:
    """Return the check of settings that are a node.

    :param complete: see :data:`Complete`.
    """

    def check(settings: Dict) -> None:
        complete(settings.get_dict())

    return check


def settings_serializer(what: str, complete: Complete) -> Callable[[Any], Dict]:
    """Return what turns a plain ``dict`` into a node, complete with defaults and normalised numbers.

    :param what: it is, as the message should call it: ``parameters``.
    :param complete: see :data:`Complete`.
    :raises ValueError: one line (when called by AiiDA).
    """

    def serialize(value: Any) -> Dict:
        if not isinstance(value, dict):
            raise ValueError(f"{what} are {shown(value)}: give a dict or a Dict node")
        return Dict(complete(plain(value)))

    return serialize


def crystal_check(purpose: str) -> Callable[[StructureData], None]:
    """Return the check that a structure is a crystal of whole atoms; it raises ``ValueError`` with one line.

    :param purpose: what needs the crystal, as the message should call it (``a phonon calculation``).
    """

    def check(structure: StructureData) -> None:
        require_crystal(structure, purpose)
        validation.check_alone(structure)
        require_no_vacuum(to_atoms(structure), purpose)

    return check


def check_each(check: Callable[[Any], None], nodes: Mapping[str, Any] | None, prefix: str = "") -> None:
    """Check nodes that come by label.

    :param prefix: of the label in messages.
    :raises ValueError: one line that begins with the label.
    """
    for label, node in (nodes or {}).items():
        try:
            check(node)
        except (ValueError, EngineError) as error:
            raise ValueError(f"{prefix}{label}: {error}") from None

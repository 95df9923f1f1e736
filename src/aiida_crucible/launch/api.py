"""The whole in one call, for scripts and notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aiida.manage import get_manager
from aiida.orm import AbstractCode, Computer

from aiida_crucible.launch.environments import environment_of
from aiida_crucible.launch.models import find_model
from aiida_crucible.launch.requests import as_question
from aiida_crucible.launch.result import ReliabilityResult
from aiida_crucible.monitoring.together import run_together
from aiida_crucible.nodes.model import ModelData


def reliability(
    structure: Any,
    models: Sequence[str | int | ModelData] | str | int | ModelData,
    temperatures: Iterable[float] = (),
    *,
    code: AbstractCode | str | int | None = None,
    computer: Computer | str | None = None,
    create_environments: bool = False,
    **more: Any,
) -> ReliabilityResult:
    """Find out whether models can be trusted with a crystal, and wait for the answer.

    :param structure: see :func:`aiida_crucible.launch.structures.read_structure`.
    :param models: families, ``FAMILY:NAME``, PKs or nodes.
    :param temperatures: K, to run it at; none for 0 K alone.
    :param code: the environment; that of each family on the computer if left out.
    :param computer: where to run; this machine if left out.
    :param create_environments: whether environments that are missing are made.
    :param more: ``phases``, ``reference``, ``protocol``, ``steps``, ``time_step``, ``overrides`` and ``options``, see
        :func:`aiida_crucible.launch.requests.as_question`.
    :raises ValueError: one line, if something does not fit.
    """
    if get_manager().get_profile() is None:
        get_manager().load_profile()
    wanted = list(models) if isinstance(models, list | tuple) else [models]
    if not wanted:
        raise ValueError("there is no model: give one or more, e.g. models=['chgnet']")
    nodes = [each if isinstance(each, ModelData) else find_model(str(each)) for each in wanted]
    question = as_question(structure, temperatures=temperatures, **more)
    builders = {}
    for node in nodes:
        place = environment_of(
            node, code=code, computer=computer, may_create=lambda _: create_environments, report=lambda _: None
        )
        builders[node.title] = question.builder(place, node)
    return ReliabilityResult(run_together(builders))

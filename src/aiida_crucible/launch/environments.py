"""The environment that a model runs in: found, or made on the way where the user agrees."""

from __future__ import annotations

from collections.abc import Callable

from aiida.orm import AbstractCode, Computer

from aiida_crucible.environments.codes import find_code, find_computer, registered_environments
from aiida_crucible.environments.manage import Request, create_environment
from aiida_crucible.environments.problems import ModelEnvironmentError
from aiida_crucible.nodes.model import ModelData

LOCALHOST = "localhost"


def environment_of(
    model: ModelData,
    *,
    code: AbstractCode | str | int | None = None,
    computer: Computer | str | None = None,
    may_create: Callable[[str], bool],
    report: Callable[[str], None],
) -> AbstractCode:
    """Return the Code of a model's environment.

    :param model: which potential.
    :param code: it, or its label, where the user names one.
    :param computer: where to look for it, or to make it; this machine if left out.
    :param may_create: asked with one line before an environment is made.
    :param report: called with each line of progress.
    :raises ModelEnvironmentError: if there is none, and none was to be made.
    """
    if code is not None:
        return code if isinstance(code, AbstractCode) else find_code(str(code))
    place: Computer = computer if isinstance(computer, Computer) else find_computer(computer or LOCALHOST)
    ready = [
        each.code
        for each in registered_environments()
        if each.content["family"] == model.family and each.code.computer.pk == place.pk
    ]
    own = [each for each in ready if each.label == model.family]
    if own or len(ready) == 1:
        return (own or ready)[0]
    if ready:
        labels = ", ".join(each.full_label for each in ready)
        raise ModelEnvironmentError(
            f"family {model.family!r} has several environments: choose one with --code ({labels})"
        )
    asked = f"{model.family} has no environment on {place.label} yet: create it (some minutes, up to some GB)"
    if not may_create(asked):
        flag = "" if place.label == LOCALHOST else f" --computer {place.label}"
        raise ModelEnvironmentError(
            f"{model.family} has no environment on {place.label}: `aiida-crucible env create {model.family}{flag}` "
            "makes one, and so does --yes here (in Python create_environments=True)"
        )
    return create_environment(Request(model.family), place, report=report)

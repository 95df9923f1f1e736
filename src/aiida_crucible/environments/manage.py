"""Create and remove the environments of an AiiDA computer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiida.orm import Computer, InstalledCode
from aiida.transports import Transport

from aiida_crucible.environments import local, remote
from aiida_crucible.environments.codes import (
    ROOT_PROPERTY,
    RegisteredEnvironment,
    codes_of,
    is_this_machine,
    register,
    require_free_label,
    retire,
)
from aiida_crucible.environments.problems import ModelEnvironmentError
from aiida_crucible.environments.specification import Specification
from crucible_engine.wire.rules import first_line


@dataclass(frozen=True)
class Request:
    """What a user asks for.

    :param family: a model family's name.
    :param torch: see :meth:`TorchBuild.parse`; ``None`` for what fits the computer.
    :param python: a version, or the path of a Python on the computer; ``None`` for the computer's own choice.
    :param source: path on the computer of the source of a package that is on no index, a folder or an archive.
    """

    family: str
    torch: str | None = None
    python: str | None = None
    source: str | None = None


def create_environment(
    request: Request,
    computer: Computer,
    *,
    label: str | None = None,
    root: str | None = None,
    accept_cuda: bool = False,
    report: Callable[[str], None],
) -> InstalledCode:
    """Create an environment on a computer, or find it there, and return its Code.

    :param request: what is wanted.
    :param computer: where.
    :param label: the Code's label; by default the family's name.
    :param root: folder for its environments, kept as the computer's once one is there; by default that one.
    :param accept_cuda: whether a CUDA build may be downloaded where there is no GPU.
    :param report: called with each line of progress.
    :raises ModelEnvironmentError: if it cannot be created; :class:`CudaRefusedError` if that takes an agreement.
    """
    require_free_label(computer, request.family if label is None else label)
    place = root or computer.get_property(ROOT_PROPERTY, None)
    if is_this_machine(computer):
        specification, executable, content = _create_here(request, place, accept_cuda, report)
    else:
        with open_transport(computer) as transport:
            site = remote.survey(transport, place, request.python, computer.get_prepend_text())
            source = remote.find_source(transport, site, request.family, request.source)
            specification = remote.specify(site, request.family, request.torch, source)
            executable = remote.create(transport, site, specification, accept_cuda=accept_cuda, report=report)
            content = remote.read_content(transport, executable)
    code = register(computer, executable, specification, content, label)
    if root is not None:
        computer.set_property(ROOT_PROPERTY, root)
    return code


def recipe_for(request: Request, computer: Computer, root: str | None = None) -> str:
    """Return the script that :func:`create_environment` would run."""
    root = root or computer.get_property(ROOT_PROPERTY, None)
    if is_this_machine(computer):
        here = Path(root) if root else None
        return local.recipe(
            request.family, python=request.python, torch=request.torch, source=request.source, root=here
        )
    with open_transport(computer) as transport:
        site = remote.survey(transport, root, request.python, computer.get_prepend_text())
        source = remote.find_source(transport, site, request.family, request.source)
    return remote.recipe(site, remote.specify(site, request.family, request.torch, source))


def remove_environment(environment: RegisteredEnvironment) -> None:
    """Delete an environment's folder, free the label of its Code and hide it. The provenance stays.

    :raises ModelEnvironmentError: if the Code points at something that this package did not make.
    """
    expected = f"{environment.content['family']}-{environment.content['lock']}"
    if environment.folder.name != expected:
        raise ModelEnvironmentError(
            f"{environment.folder} does not look like an environment of aiida-crucible: delete it yourself"
        )
    with open_transport(environment.code.computer) as transport:
        remote.delete(transport, str(environment.folder))
    for code in codes_of(environment.code.computer, str(environment.code.filepath_executable)):
        retire(code)


def _create_here(
    request: Request, root: str | None, accept_cuda: bool, report: Callable[[str], None]
) -> tuple[Specification, str, dict[str, Any]]:
    choices = {"python": request.python, "torch": request.torch, "source": request.source}
    specification = local.specify(request.family, **choices)
    executable = local.ensure(
        request.family, **choices, root=Path(root) if root else None, accept_cuda=accept_cuda, report=report
    )
    return specification, str(executable), local.read_content(executable.parent.parent)


@contextmanager
def open_transport(computer: Computer) -> Iterator[Transport]:
    """Yield an open transport to a computer.

    :raises ModelEnvironmentError: if it cannot be reached.
    """
    transport = computer.get_transport()
    try:
        transport.open()
    except Exception as error:  # each transport plugin raises its own
        raise ModelEnvironmentError(f"computer {computer.label!r} cannot be reached: {first_line(error)}") from error
    try:
        yield transport
    finally:
        transport.close()

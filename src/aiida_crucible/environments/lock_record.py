"""What an environment was made from, in a form that is kept with its Code and travels with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_crucible.environments.problems import ModelEnvironmentError
from aiida_crucible.environments.specification import (
    Specification,
    TorchBuild,
    normalise_python,
    read_lock,
    read_torch_lock,
    source_of,
)
from crucible_engine.tasks.registry import find_environment

LOCK_KEY = "crucible_lock"
"""Extra of a Code: ``packages`` (name → version, all that is installed) and ``lock`` (text). No digest hangs on it."""


def record_of(specification: Specification, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the extra :data:`LOCK_KEY` of an environment's Code.

    :param specification: what it was made from.
    :param content: what it says of itself (``crucible.json``).
    """
    return {"packages": dict(content["packages"]), "lock": lock_text(specification)}


def lock_text(specification: Specification) -> str:
    """Return the lock that an environment is made from, in the form that pip and uv read."""
    lines = [line for line in read_lock(specification.family).splitlines() if not line.startswith(("#", "torch=="))]
    heading = [
        f"# Python {specification.python}; the digest of this lock in aiida-crucible: {specification.digest}",
        "# install it with: uv pip install --no-deps --require-hashes --requirement FILE",
    ]
    if specification.source is not None:
        owner = find_environment(specification.family)
        heading.append(f"# {owner.package} itself: built from {owner.source}, sha256 {specification.source.digest}")
    if specification.torch_requirement is None:
        return "\n".join([*heading, *lines, ""])
    build = (
        f"# {specification.torch_requirement}, build {specification.torch.build!r}; the registry's own has these hashes"
    )
    torch = [line for line in read_torch_lock().splitlines() if not line.startswith("#")]
    return "\n".join([*heading, *lines, build, *torch, ""])


def lock_of_today(content: Mapping[str, Any]) -> str | None:
    """Return the lock of an environment that was made without keeping it; ``None`` where it is another one by now.

    :param content: of the Code's extra, see :class:`aiida_crucible.environments.codes.RegisteredEnvironment`.
    """
    try:
        build = TorchBuild(content["build"], content["release"])
        python = normalise_python(content["python"])
        specification = Specification(content["family"], python, build, source_of(content))
    except (KeyError, TypeError, ValueError, ModelEnvironmentError):
        return None
    return lock_text(specification) if specification.digest == content.get("lock") else None

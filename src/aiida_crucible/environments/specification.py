"""What an environment is made of, the digest that names its folder, and the script that makes it."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from aiida_crucible.environments.problems import ModelEnvironmentError
from crucible_engine.tasks.registry import ENVIRONMENTS, TOOLSETS, find_environment

PYTHON_MINORS = ("3.10", "3.11", "3.12", "3.13")
"""The Python versions that the locks hold for, unless a family says less."""

DEFAULT_PYTHON = PYTHON_MINORS[-2]
"""The version where there is none that suits."""

_RELEASE = re.compile(r"\d+(\.\d+){1,2}(\+[a-z0-9.]+)?")
_CUDA_BUILD = re.compile(r"cu\d{2,3}")


@dataclass(frozen=True)
class TorchBuild:
    """Which torch an environment gets.

    :param build: ``cpu``, ``cuda`` (the build that fits the driver), or one CUDA release such as ``cu128``.
    :param release: a version of torch instead of the lock's; ``None`` for the lock's.
    """

    build: str
    release: str | None = None

    @classmethod
    def parse(cls, choice: str | None, has_gpu: bool) -> TorchBuild:
        """Return the build that a user's ``--torch`` asks for.

        :param choice: ``cpu``, ``cuda``, ``cu128`` …, a version, or ``None`` for what fits the machine.
        :param has_gpu: whether the machine has an NVIDIA driver.
        :raises ModelEnvironmentError: if it is none of these.
        """
        fitting = "cuda" if has_gpu else "cpu"
        if choice is None:
            return cls(fitting)
        if choice in ("cpu", "cuda") or _CUDA_BUILD.fullmatch(choice):
            return cls(choice)
        if _RELEASE.fullmatch(choice):
            return cls(fitting, choice)
        raise ModelEnvironmentError(
            f"torch {choice!r} is unknown: give cpu, cuda, a CUDA release such as cu128, or a version such as 2.13.0"
        )


@dataclass(frozen=True)
class Source:
    """The source of a package that is on no index.

    :param path: of the folder or archive, absolute, where the environment will be; empty where it is unknown.
    :param digest: hexadecimal sha256 of its content, see :func:`aiida_crucible.environments.source.read_source`.
    """

    path: str
    digest: str


@dataclass(frozen=True)
class Specification:
    """An environment that is to be, complete enough to name its folder.

    :param family: name of a model family or a toolset.
    :param python: the Python minor version, e.g. ``3.11``.
    :param torch: which torch; has no effect where the family needs none.
    :param source: what its package is built from, if that is on no index.
    """

    family: str
    python: str
    torch: TorchBuild
    source: Source | None = None

    def __post_init__(self) -> None:
        read_lock(self.family)
        require_source_as_needed(self.family, self.source)
        if self.python not in PYTHON_MINORS:
            raise ModelEnvironmentError(
                f"Python {self.python} is outside the locks: choose one of {', '.join(PYTHON_MINORS)} (--python)"
            )
        if self.python not in pythons_of(self.family):
            raise ModelEnvironmentError(
                f"family {self.family} has no packages for Python {self.python}: choose "
                f"{' or '.join(pythons_of(self.family))} (--python; uv fetches it where it is not there)"
            )

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change whenever the environment's content could."""
        parts = [read_lock(self.family), self.python]
        if self.torch_requirement is not None:
            parts += [self.torch.build, self.torch_requirement, read_torch_lock()]
        if self.source is not None:
            parts.append(self.source.digest)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

    @property
    def folder(self) -> str:
        """Name of the environment's folder."""
        return f"{self.family}-{self.digest}"

    @property
    def torch_requirement(self) -> str | None:
        """What to install as torch, e.g. ``torch==2.13.0``; ``None`` where the family needs none.

        A toolset needs it for a GPU alone: it gets torch where there is one, or where somebody asks for it.
        """
        locked = locked_version(self.family, "torch")
        if self.family in TOOLSETS and self.torch != TorchBuild("cpu"):
            locked = TOOLSETS[self.family].torch
        return None if locked is None else f"torch=={self.torch.release or locked}"


def require_source_as_needed(family: str, source: object) -> None:
    """Refuse a missing source, and one that is not needed.

    :param source: the source, or its path; ``None`` where the user named none.
    :raises ModelEnvironmentError: one line.
    """
    owner = find_environment(family)
    if owner.source and source is None:
        raise ModelEnvironmentError(
            f"{owner.package} is on no package index: download its source from {owner.source} and say where it lies, "
            f"--source PATH (`aiida-crucible env create {family} --source PATH`)"
        )
    if source is not None and not owner.source:
        raise ModelEnvironmentError(
            f"family {family} is made from the package index and needs no source: leave out --source"
        )


def source_of(content: Mapping[str, Any]) -> Source | None:
    """Return the source of an environment, without its path, by what its Code or its folder says of it."""
    return Source("", str(content["source"])) if content.get("source") else None


def pythons_of(family: str) -> tuple[str, ...]:
    """Return the minor versions of Python that an environment of a family can have, the oldest first."""
    return find_environment(family).pythons or PYTHON_MINORS


def fitting_python(family: str, found: str) -> str:
    """Return the version to build on: the one that was found, or the newest that the family has packages for."""
    pythons = pythons_of(family)
    if found in pythons:
        return found
    return pythons[-1] if len(pythons) < len(PYTHON_MINORS) else DEFAULT_PYTHON


def normalise_python(version: str) -> str:
    """Return the minor version of a Python version, e.g. ``3.11`` for ``3.11.7``.

    :raises ModelEnvironmentError: if it is no version.
    """
    match = re.match(r"(\d+\.\d+)(\.|$)", version)
    if match is None:
        raise ModelEnvironmentError(
            f"{version!r} is no Python version: give one of {', '.join(PYTHON_MINORS)}, or a path"
        )
    return match.group(1)


@cache
def read_lock(family: str) -> str:
    """Return the text of a family's lock.

    :raises ValueError: if the family is unknown (one line, with the nearest name).
    :raises ModelEnvironmentError: if it has no package of its own.
    """
    owner = find_environment(family)
    lock = files(owner.folder) / "lock.txt"
    try:
        return lock.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ModelEnvironmentError(
            f"family {family!r} has no environment of its own: register the Python in which your calculator can be "
            "imported with `verdi code create core.code.installed`"
        ) from None


def environments_with_a_lock() -> tuple[str, ...]:
    """Return the names of the model families and toolsets that have an environment of their own."""
    return tuple(name for name in ENVIRONMENTS if (files(find_environment(name).folder) / "lock.txt").is_file())


@cache
def read_torch_lock() -> str:
    """Return the text of the lock of torch and of what only its CUDA builds need."""
    return files("crucible_engine.families").joinpath("torch_lock.txt").read_text(encoding="utf-8")


def locked_version(family: str, package: str) -> str | None:
    """Return the version that a family's lock gives a package on every Python; ``None`` where it has no such one."""
    match = re.search(rf"^{re.escape(package)}==(\S+)( \\)?$", read_lock(family), re.MULTILINE)
    return None if match is None else match.group(1)


_INTRODUCTION = """\
#!/usr/bin/env bash
# Creates the Python environment {folder} for the model family {family}, and prints the path of its Python.
# Made by aiida-crucible. It needs uv, or a python3 with venv and pip, and may be run again at any time.
"""


def render_recipe(
    specification: Specification,
    root: str,
    *,
    python: str | None = None,
    uv: str = "",
    accept_cuda: bool = False,
    prepend: str = "",
) -> str:
    """Return the bash script that creates an environment.

    :param specification: the environment.
    :param root: absolute path of the folder that holds the environments, on the machine where the script will run.
    :param python: path of the Python to build on; by default uv finds one of the wanted version, or fetches it.
    :param uv: path of uv; where empty, the script looks for one and installs one of its own if there is none.
    :param accept_cuda: whether a machine without a GPU may download a CUDA build.
    :param prepend: commands that have to come first on that machine (modules, a proxy, certificates).
    """
    torch = specification.torch_requirement
    source = specification.source or Source("", "")
    lock = [line for line in read_lock(specification.family).splitlines() if not line.startswith(("#", "torch=="))]
    variables = {
        "family": specification.family,
        "folder": specification.folder,
        "digest": specification.digest,
        "root": root,
        "python": python or specification.python,
        "uv": uv,
        "torch": torch or "",
        "build": specification.torch.build,
        "accept_cuda": "yes" if accept_cuda else "no",
        "lock": "\n".join(lock),
        "torch_lock": _lock_of(torch),
        "package": find_environment(specification.family).package,
        "source": source.path,
        "source_digest": source.digest,
        "source_reader": source_reader() if source.path else "",
    }
    introduction = _INTRODUCTION.format(folder=specification.folder, family=specification.family)
    assignments = "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())
    body = (files(__package__) / "create.sh").read_text(encoding="utf-8")
    return f"{introduction}{prepend}\nset -euo pipefail\n{assignments}\n{body}"


def source_reader() -> str:
    """Return the program that checks a source, see :mod:`aiida_crucible.environments.source`."""
    return (files(__package__) / "source.py").read_text(encoding="utf-8")


def _lock_of(torch: str | None) -> str:
    """Return the lock of a release of torch; nothing where it is another than the locked one."""
    lines = [line for line in read_torch_lock().splitlines() if not line.startswith("#")]
    return "\n".join(lines) if any(line.split()[0] == torch for line in lines) else ""

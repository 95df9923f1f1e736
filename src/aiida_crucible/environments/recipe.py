"""The recipe of an environment: one bash script, the same on this machine, on another one, and by hand."""

from __future__ import annotations

import shlex
from importlib.resources import files

from aiida_crucible.environments.specification import Specification, read_lock, read_torch_lock

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
    }
    introduction = _INTRODUCTION.format(folder=specification.folder, family=specification.family)
    assignments = "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())
    body = (files(__package__) / "create.sh").read_text(encoding="utf-8")
    return f"{introduction}{prepend}\nset -euo pipefail\n{assignments}\n{body}"


def _lock_of(torch: str | None) -> str:
    """Return the lock of a release of torch; nothing where it is another than the locked one."""
    lines = [line for line in read_torch_lock().splitlines() if not line.startswith("#")]
    return "\n".join(lines) if any(line.split()[0] == torch for line in lines) else ""

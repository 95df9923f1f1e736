"""Environments on this machine, without AiiDA."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aiida_crucible.environments.problems import ERROR_SIGN, ModelEnvironmentError, problem_from_log
from aiida_crucible.environments.source import read_source
from aiida_crucible.environments.specification import (
    Source,
    Specification,
    TorchBuild,
    fitting_python,
    normalise_python,
    render_recipe,
    require_source_as_needed,
)
from aiida_crucible.nodes.bounds import LARGEST_ANSWER, read_bounded
from crucible_engine.tasks.registry import find_environment
from crucible_engine.wire.value_types import parse_json

ROOT_VARIABLE = "CRUCIBLE_ENVIRONMENTS"
MARKER_FILE = "crucible.json"

Report = Callable[[str], None]


def default_root() -> Path:
    """Return the folder that holds this user's environments: ``$CRUCIBLE_ENVIRONMENTS``, or the user's data folder."""
    chosen = os.environ.get(ROOT_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().resolve()
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "aiida-crucible" / "environments"


def has_gpu() -> bool:
    """Return whether this machine has an NVIDIA driver."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def ensure(
    family: str,
    *,
    python: str | None = None,
    torch: str | None = None,
    source: str | None = None,
    root: Path | None = None,
    accept_cuda: bool = False,
    report: Report | None = None,
) -> Path:
    """Return the Python of a family's environment on this machine; create it where it does not exist yet.

    :param family: a model family's name.
    :param python: a version or the path of a Python; by default the one that runs this, where the locks support it.
    :param torch: see :meth:`TorchBuild.parse`; by default what fits this machine.
    :param source: folder or archive of the source of a package that is on no index.
    :param root: folder that holds the environments; by default :func:`default_root`.
    :param accept_cuda: whether a CUDA build may be downloaded on a machine without a GPU.
    :param report: called with each line of progress; by default they go to the standard error.
    :raises ModelEnvironmentError: if it cannot be created; :class:`CudaRefusedError` if that takes an agreement.
    :raises ValueError: if the family is unknown.
    """
    folder = (root or default_root()) / specify(family, python=python, torch=torch, source=source).folder
    if not is_complete(folder):
        script = recipe(family, python=python, torch=torch, source=source, root=root, accept_cuda=accept_cuda)
        _run(script, folder.name, report or _to_standard_error)
    return folder / "bin" / "python"


def specify(
    family: str, *, python: str | None = None, torch: str | None = None, source: str | None = None
) -> Specification:
    """Return the environment that :func:`ensure` is asked for."""
    build = TorchBuild.parse(torch, has_gpu())
    return Specification(family, _find_python(family, python)[0], build, _find_source(family, source))


def recipe(
    family: str,
    *,
    python: str | None = None,
    torch: str | None = None,
    source: str | None = None,
    root: Path | None = None,
    accept_cuda: bool = False,
) -> str:
    """Return the bash script that :func:`ensure` runs."""
    specification = specify(family, python=python, torch=torch, source=source)
    folder = str(root or default_root())
    interpreter = _find_python(family, python)[1]
    return render_recipe(specification, folder, python=interpreter, uv=find_uv(), accept_cuda=accept_cuda)


def is_complete(folder: Path) -> bool:
    """Return whether an environment's folder holds all that it should, and its base Python still exists."""
    return (folder / MARKER_FILE).is_file() and (folder / "bin" / "python").exists()


def environments_here(root: Path | None = None) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the folder and the content (``crucible.json``) of each environment on this machine, by name.

    :param root: folder that holds the environments; by default :func:`default_root`.
    """
    for marker in sorted((root or default_root()).glob(f"*/{MARKER_FILE}")):
        yield marker.parent, read_content(marker.parent)


def read_content(folder: Path) -> dict[str, Any]:
    """Return what an environment says of itself (``crucible.json``)."""
    with (folder / MARKER_FILE).open("rb") as stream:
        content: dict[str, Any] = parse_json(read_bounded(stream, LARGEST_ANSWER))
    return content


def remove(folder: Path) -> None:
    """Delete an environment's folder; what is left of it if that is interrupted is no environment any more."""
    (folder / MARKER_FILE).unlink()
    shutil.rmtree(folder)


def find_uv() -> str:
    """Return the path of uv on this machine."""
    import uv

    try:
        return uv.find_uv_bin()
    except FileNotFoundError:
        return shutil.which("uv") or ""


def _find_source(family: str, path: str | None) -> Source | None:
    require_source_as_needed(family, path)
    if path is None:
        return None
    try:
        return Source(*read_source(path, find_environment(family).package))
    except (ValueError, OSError) as error:
        raise ModelEnvironmentError(str(error)) from None


def _find_python(family: str, python: str | None) -> tuple[str, str | None]:
    if python is None:
        running = "{}.{}".format(*sys.version_info[:2])
        fitting = fitting_python(family, running)
        return fitting, sys.executable if fitting == running else None
    if os.sep not in python:
        return normalise_python(python), python
    try:
        answer = subprocess.run([python, "--version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        raise ModelEnvironmentError(f"{python} is no Python that runs: give another path, or a version") from None
    return normalise_python(answer.stdout.removeprefix("Python ").strip()), python


def _run(script: str, folder: str, report: Report) -> None:
    tail: deque[str] = deque(maxlen=200)
    with tempfile.TemporaryDirectory() as place:
        # A file, since the lock with its hashes is longer than an argument may be.
        path = Path(place, "create.sh")
        path.write_text(script, encoding="utf-8")
        with subprocess.Popen(
            ["bash", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                tail.append(line)
                if not line.startswith(ERROR_SIGN):
                    report(line.rstrip())
    if process.returncode != 0:
        raise problem_from_log(folder, process.returncode, "".join(tail))


def _to_standard_error(line: str) -> None:
    sys.stderr.write(f"{line}\n")

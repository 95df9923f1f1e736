"""Environments on another computer, over its own transport."""

from __future__ import annotations

import secrets
import shlex
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiida.transports import Transport

from aiida_crucible.environments.local import MARKER_FILE
from aiida_crucible.environments.problems import ERROR_SIGN, ModelEnvironmentError, problem_from_log
from aiida_crucible.environments.specification import (
    DEFAULT_PYTHON,
    PYTHON_MINORS,
    Source,
    Specification,
    TorchBuild,
    fitting_python,
    normalise_python,
    render_recipe,
    require_source_as_needed,
    source_reader,
)
from aiida_crucible.nodes.bounds import LARGEST_ANSWER
from crucible_engine.tasks.registry import find_environment
from crucible_engine.wire.value_types import parse_json

_SURVEY = """
echo "root=${CRUCIBLE_ENVIRONMENTS:-${XDG_DATA_HOME:-$HOME/.local/share}/aiida-crucible/environments}"
echo "python=$(command -v "$python" || true)"
echo "version=$("$python" --version 2>/dev/null || true)"
if [ -e /proc/driver/nvidia/version ] || command -v nvidia-smi >/dev/null 2>&1; then echo "gpu=yes"; fi
"""
_SEPARATOR = "\x1e"
_LONGEST_WAIT = 5.0
_KILLED = 137


@dataclass(frozen=True)
class Site:
    """What has to be known of a computer before an environment can be named.

    :param root: absolute path of the folder that holds the environments.
    :param python: path of the Python to build on; ``None`` if uv has to find one.
    :param version: its version, or the one wanted.
    :param chosen: whether somebody asked for that version.
    :param has_gpu: whether there is an NVIDIA driver (where the transport leads to, often a login node).
    :param prepend: commands that come first there, as in every job (modules, a proxy, certificates).
    """

    root: str
    python: str | None
    version: str
    has_gpu: bool
    prepend: str = ""
    chosen: bool = False


def survey(transport: Transport, root: str | None = None, python: str | None = None, prepend: str = "") -> Site:
    """Return what a computer says of itself.

    :param transport: an open transport.
    :param root: folder for the environments; by default the computer's ``$CRUCIBLE_ENVIRONMENTS`` or data folder.
    :param python: a version, or the path of a Python on the computer; by default its python3, where the locks allow.
    :param prepend: commands that come first there, as in every job: the computer's prepend text.
    :raises ModelEnvironmentError: if the computer has no bash, or ``python`` does not run there.
    """
    is_path = python is not None and "/" in python
    command = f"{prepend}\npython={shlex.quote(python if python and is_path else 'python3')}\n{_SURVEY}"
    answer = dict(line.split("=", 1) for line in _bash(transport, command).splitlines() if "=" in line)
    found = answer["version"].removeprefix("Python ").strip()
    if is_path and not found:
        raise ModelEnvironmentError(f"{python} is no Python that runs there: give another path, or a version")
    path: str | None = answer["python"]
    if python is not None and not is_path:
        path, found = None, python
    elif not is_path and (not found or normalise_python(found) not in PYTHON_MINORS):
        path, found = None, DEFAULT_PYTHON
    return Site(root or answer["root"], path, normalise_python(found), "gpu" in answer, prepend, python is not None)


def find_source(transport: Transport, site: Site, family: str, path: str | None) -> Source | None:
    """Return the source that lies on a computer, with the digest of its content there.

    :param path: of a folder or archive on the computer; ``None`` where the user named none.
    :raises ModelEnvironmentError: one line, if it is missing, not needed, or none of the family's package.
    """
    require_source_as_needed(family, path)
    if path is None:
        return None
    words = [site.python or "python3", "-c", source_reader(), path, find_environment(family).package]
    answer = _bash(transport, f"{site.prepend}\n{shlex.join(words)}")
    found = dict(
        line.split("=", 1) for line in answer.splitlines() if line.startswith(("path=", "digest=", "problem="))
    )
    if "problem" in found or not {"path", "digest"} <= set(found):
        raise ModelEnvironmentError(f"on the computer {found.get('problem', '--source cannot be read')}")
    return Source(found["path"], found["digest"])


def specify(site: Site, family: str, torch: str | None, source: Source | None = None) -> Specification:
    """Return the environment of a family that a computer gets; see :meth:`TorchBuild.parse` for ``torch``."""
    version = site.version if site.chosen else fitting_python(family, site.version)
    return Specification(family, version, TorchBuild.parse(torch, site.has_gpu), source)


def recipe(site: Site, specification: Specification, accept_cuda: bool = False) -> str:
    """Return the bash script that :func:`create` runs."""
    python = site.python if specification.python == site.version else None
    return render_recipe(specification, site.root, python=python, accept_cuda=accept_cuda, prepend=site.prepend)


def create(
    transport: Transport,
    site: Site,
    specification: Specification,
    *,
    accept_cuda: bool = False,
    report: Callable[[str], None],
) -> str:
    """Create an environment on a computer, or find it there, and return the path of its Python.

    The recipe runs detached from the connection: it goes on if that breaks, and a second call waits for it.

    :param transport: an open transport.
    :param site: from :func:`survey`.
    :param specification: from :func:`specify`.
    :param accept_cuda: whether a CUDA build may be downloaded where there is no GPU.
    :param report: called with each line of progress.
    :raises ModelEnvironmentError: if it cannot be created; :class:`CudaRefusedError` if that takes an agreement.
    """
    script = recipe(site, specification, accept_cuda)
    run = f"{site.root}/.run-{secrets.token_hex(6)}"
    _bash(transport, f"mkdir -p {shlex.quote(site.root)}")
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder, "create.sh")
        local.write_text(script, encoding="utf-8")
        transport.putfile(str(local), f"{run}.sh")
    place = shlex.quote(run)
    detached = f"bash {place}.sh >{place}.out 2>{place}.log; echo $? >{place}.new; mv {place}.new {place}.end"
    launch = f"nohup bash -c {shlex.quote(detached)} >/dev/null 2>&1 </dev/null & echo $!"
    pid = int(_bash(transport, launch))
    status, log = _follow(transport, place, pid, report)
    output = _bash(transport, f"cat {place}.out; rm -f {place}.*").strip()
    if status != 0:
        raise problem_from_log(specification.folder, status, log)
    return output.splitlines()[-1]


def read_content(transport: Transport, python: str) -> dict[str, Any]:
    """Return what an environment says of itself (``crucible.json``).

    :param python: path of its Python.
    :raises ModelEnvironmentError: if it is not there.
    """
    marker = f"{python.removesuffix('/bin/python')}/{MARKER_FILE}"
    content: dict[str, Any] = parse_json(_bash(transport, f"head -c {LARGEST_ANSWER} {shlex.quote(marker)}"))
    return content


def delete(transport: Transport, folder: str) -> None:
    """Delete an environment's folder; what is left of it if that is interrupted is no environment any more.

    :param folder: its absolute path.
    """
    doomed = f"{folder}.{secrets.token_hex(6)}.deleted"
    source, target = shlex.quote(folder), shlex.quote(doomed)
    _bash(transport, f"if [ -e {source} ]; then mv {source} {target} && rm -rf {target}; fi")


def _follow(transport: Transport, place: str, pid: int, report: Callable[[str], None]) -> tuple[int, str]:
    """Report a detached recipe's log until it has ended; return its exit status and the log."""
    log, wait = "", 0.2
    while True:
        command = (
            # Asked for in this order, so that the log of what has ended is complete.
            f"kill -0 {pid} 2>/dev/null || end={_KILLED}; test -f {place}.end && end=$(cat {place}.end); "
            f"touch {place}.log; tail -c +{len(log.encode()) + 1} {place}.log; printf '{_SEPARATOR}%s' \"${{end:-}}\""
        )
        news, _, end = _bash(transport, command).rpartition(_SEPARATOR)
        # A last line is reported once it is complete.
        complete = news if end else news[: news.rfind("\n") + 1]
        for line in complete.splitlines():
            if not line.startswith(ERROR_SIGN):
                report(line)
        log += complete
        if end:
            return int(end), log
        time.sleep(wait)
        wait = min(1.5 * wait, _LONGEST_WAIT)


def _bash(transport: Transport, command: str) -> str:
    status, output, error = transport.exec_command_wait(f"bash -c {shlex.quote(command)}")
    if status != 0:
        lines = error.strip().splitlines() or [f"status {status}"]
        raise ModelEnvironmentError(f"the computer answers: {lines[-1]}")
    return str(output)

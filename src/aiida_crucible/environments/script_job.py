"""Run one of this package's small scripts in an environment, as a job with provenance."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from aiida.engine import run_get_node
from aiida.manage.caching import disable_caching
from aiida.orm import InstalledCode, ProcessNode, SinglefileData
from aiida_shell import ShellJob
from aiida_shell.launch import prepare_shell_job_inputs

from aiida_crucible.calculations.engine_archive import engine_archive
from aiida_crucible.calculations.validation import check_code
from aiida_crucible.environments.problems import ModelEnvironmentError
from aiida_crucible.monitoring.foreground import EndsItsJobs
from aiida_crucible.nodes.bounds import LARGEST_ANSWER, read_bounded
from crucible_engine.wire.rules import suggestion
from crucible_engine.wire.schema import ENGINE_FILE
from crucible_engine.wire.value_types import parse_json


class ScriptJob(EndsItsJobs, ShellJob):
    """A job of aiida-shell that an interrupt ends, also where it waits in a queue."""


def run_script(
    code: InstalledCode,
    script: str,
    request: Mapping[str, Any],
    answer: str,
    options: Mapping[str, Any] | None = None,
) -> tuple[Any, ProcessNode]:
    """Run a script with the engine and a request, and return the content of the JSON file that it writes.

    :param code: the Python to run it with.
    :param script: file name of the script, in this package.
    :param request: what it is asked, as JSON.
    :param answer: file name of its answer.
    :param options: options of the job (queue, account, wall time …).
    :raises ModelEnvironmentError: if there is no answer: the job's PK is in the message.
    :raises ValueError: one line, if an option is unknown or the computer not configured.
    """
    check_code(code)
    known = list(ShellJob.spec().inputs["metadata"]["options"])
    for name in options or {}:
        if name not in known:
            raise ValueError(f"a job has no option {name!r}: {suggestion(name, known)}")
    # The state of a computer is asked for: what it was at another time is no answer.
    with disable_caching():
        inputs = prepare_shell_job_inputs(
            code,
            arguments=["{script}", "{engine}", "{request}"],
            nodes={
                "script": _file(script, (files(__package__) / script).read_bytes()),
                "engine": _file(ENGINE_FILE, engine_archive()),
                "request": _file("request.json", json.dumps(request).encode()),
            },
            outputs=[answer],
            metadata={"label": f"{script} in {code.full_label}", "options": dict(options or {})},
        )
        outputs, node = run_get_node(ScriptJob, inputs)
    content = outputs.get(answer.replace(".", "_"))
    if content is None:
        raise ModelEnvironmentError(
            f"{script} did not run in {code.full_label} ({node.exit_message or node.process_state}): "
            f"see `verdi process report {node.pk}`"
        )
    with content.open(mode="rb") as stream:
        return parse_json(read_bounded(stream, LARGEST_ANSWER)), node


def _file(name: str, content: bytes) -> SinglefileData:
    return SinglefileData(io.BytesIO(content), filename=name)

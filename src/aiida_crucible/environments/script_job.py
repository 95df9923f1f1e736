"""Small scripts of this package, run in an environment as jobs with provenance: what works there, what a model is."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from aiida.engine import run_get_node
from aiida.manage.caching import disable_caching
from aiida.orm import AbstractCode, InstalledCode, ProcessNode, SinglefileData
from aiida_shell import ShellJob

from aiida_crucible.calculations.engine_archive import engine_archive
from aiida_crucible.calculations.staging import stage_checkpoint
from aiida_crucible.calculations.validation import check_code
from aiida_crucible.compat.aiida_shell import prepare_shell_job_inputs
from aiida_crucible.environments.codes import RegisteredEnvironment, is_this_machine
from aiida_crucible.environments.problems import ModelEnvironmentError
from aiida_crucible.monitoring.foreground import EndsItsJobs
from aiida_crucible.nodes.bounds import LARGEST_ANSWER, read_bounded
from aiida_crucible.nodes.model import ModelData
from crucible_engine.families.facts import Family
from crucible_engine.tasks.registry import find_environment
from crucible_engine.wire.rules import suggestion
from crucible_engine.wire.schema import ENGINE_FILE, ModelReference
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


@dataclass(frozen=True)
class Finding:
    """What one check found.

    :param name: the check.
    :param status: ``passed``, ``failed`` or ``not-applicable``.
    :param message: one line.
    """

    name: str
    status: str
    message: str


def check_environment(
    environment: RegisteredEnvironment, options: Mapping[str, Any] | None = None
) -> tuple[list[Finding], ProcessNode]:
    """Run the probe in an environment, on its computer, and return what each check found, and the job.

    :param environment: the environment.
    :param options: options of the job (queue, account, wall time …).
    :raises ModelEnvironmentError: if the job itself fails: its PK is in the message.
    """
    answer, node = run_script(environment.code, "probe.py", _request(environment), "probe.json", options)
    return [Finding(**item) for item in answer], node


def _request(environment: RegisteredEnvironment) -> dict[str, Any]:
    family = find_environment(environment.content["family"])
    default = family.names.get(family.default_name or "") if isinstance(family, Family) else None
    return {
        "family": family.name,
        "package": family.package,
        "import_name": family.import_name,
        "version": environment.content["version"],
        "torch": environment.content["torch"],
        "weights": default.name if default is not None and default.shipped else None,
        "dtype": family.default_dtype if isinstance(family, Family) else None,
    }


def describe_checkpoint(
    environment: RegisteredEnvironment,
    reference: ModelReference,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what a checkpoint file is, as the engine finds when it loads it.

    :param environment: where to load it.
    :param reference: the checkpoint; its path must lie on the environment's computer.
    :param options: options of the job (queue, account, wall time …).
    :returns: ``elements`` (symbols), ``forces`` (``conservative`` or ``direct``), ``ensemble_size`` (members that the
        weights have) and ``sha256``.
    :raises ModelEnvironmentError: if the environment is another family's, or cannot load the file.
    """
    code = environment.code
    if environment.content["family"] != reference.family:
        raise ModelEnvironmentError(
            f"{code.full_label} is an environment of family {environment.content['family']!r}, "
            f"the checkpoint is said to be one of {reference.family!r}: choose another --code"
        )
    return describe_model(code, reference, options)


def describe_model(
    code: AbstractCode, reference: ModelReference, options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what a model is, as the engine finds when it loads it; see :func:`describe_checkpoint`.

    :param code: any Python in which the model's package can be imported.
    :param reference: the model; the path of a checkpoint must lie on the code's computer.
    :param options: options of the job.
    :raises ModelEnvironmentError: if it cannot be loaded.
    """
    answer, node = run_script(code, "describe.py", asdict(reference), "description.json", options)
    if "problem" in answer:
        raise ModelEnvironmentError(f"{answer['problem']} (`verdi process show {node.pk}`)")
    description: dict[str, Any] = answer
    return description


def sha256_now(code: AbstractCode, model: ModelData, options: Mapping[str, Any] | None = None) -> str:
    """Return the digest of what an environment loads for a model now; parameters as of :func:`describe_model`."""
    reference = replace(model.to_reference(), sha256=None)
    if model.is_checkpoint:
        reference = replace(reference, checkpoint=str(stage_checkpoint(model, code.computer)))
    return str(describe_model(code, reference, options)["sha256"])


def path_on_computer(checkpoint: str, computer_label: str | None, environment: RegisteredEnvironment) -> str:
    """Return the path of a checkpoint on an environment's computer.

    :param checkpoint: its path, on this machine unless a computer is named.
    :param computer_label: the computer where it lies; ``None`` for this machine.
    :raises ModelEnvironmentError: if it does not lie on the environment's computer.
    """
    computer = environment.code.computer
    if computer_label == computer.label:
        return checkpoint
    if computer_label is None and is_this_machine(computer):
        return str(Path(checkpoint).expanduser().resolve())
    raise ModelEnvironmentError(
        f"{environment.code.full_label} cannot see {checkpoint}: copy it to {computer.label} first and add "
        f"--computer {computer.label}, or name a --code on the computer where it lies"
    )

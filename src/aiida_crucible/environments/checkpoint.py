"""Ask the engine, in an environment, what a checkpoint file or another model is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aiida.orm import AbstractCode

from aiida_crucible.environments.codes import RegisteredEnvironment, is_this_machine
from aiida_crucible.environments.problems import ModelEnvironmentError
from aiida_crucible.environments.script_job import run_script
from crucible_engine.wire.schema import ModelReference

ANSWER_FILE = "description.json"


def describe_checkpoint(
    environment: RegisteredEnvironment,
    reference: ModelReference,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what a checkpoint file is, as the engine finds when it loads it.

    :param environment: where to load it.
    :param reference: the checkpoint; its path must lie on the environment's computer.
    :param options: options of the job (queue, account, wall time …).
    :returns: ``elements`` (symbols), ``forces`` (``conservative`` or ``direct``) and ``sha256``.
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
    answer, node = run_script(code, "describe.py", asdict(reference), ANSWER_FILE, options)
    if "problem" in answer:
        raise ModelEnvironmentError(f"{answer['problem']} (`verdi process show {node.pk}`)")
    description: dict[str, Any] = answer
    return description


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

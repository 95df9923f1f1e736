"""Brings a checkpoint file to a computer once; jobs there only link to it."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from pathlib import PurePosixPath

from aiida.orm import Computer
from aiida.transports import Transport

from aiida_crucible.nodes.model import ModelData
from crucible_engine.wire.schema import CHECKPOINT_FILE

STAGED_KEY = "crucible_staged"
"""Extra of a model: computer's uuid → absolute path of the checkpoint file there."""


def stage_checkpoint(model: ModelData, computer: Computer) -> PurePosixPath:
    """Return where a model's checkpoint file lies on a computer, bringing it there the first time.

    The file's place is named by its sha256, so that nodes and profiles that share a computer share it. It is uploaded
    under a temporary name and renamed, so that an interrupted upload leaves nothing half-made.

    :param model: a model with a checkpoint file.
    :param computer: a configured computer.
    :raises ValueError: one line, if the file stays on another computer.
    """
    if model.checkpoint_path is not None:
        require_reachable(model, computer)
        return model.checkpoint_path
    staged: dict[str, str] = model.base.extras.get(STAGED_KEY, {})
    if computer.uuid not in staged:
        with computer.get_transport() as transport:
            path = _upload_once(model, computer, transport)
        model.base.extras.set(STAGED_KEY, {**staged, computer.uuid: str(path)})
        return path
    return PurePosixPath(staged[computer.uuid])


def forget_staging(model: ModelData, computer: Computer) -> None:
    """Forget that a model was staged to a computer, so that the next job brings it there again."""
    staged: dict[str, str] = model.base.extras.get(STAGED_KEY, {})
    if computer.uuid in staged:
        model.base.extras.set(STAGED_KEY, {key: path for key, path in staged.items() if key != computer.uuid})


def require_reachable(model: ModelData, computer: Computer) -> None:
    """Refuse a checkpoint file that stays on another computer.

    :raises ValueError: one line.
    """
    if model.checkpoint_path is not None and model.computer.uuid != computer.uuid:
        raise ValueError(
            f"the checkpoint of model {model.title} stays on computer {model.computer.label!r}, but the code runs on "
            f"{computer.label!r}: use a code where it is, or a model made from the file itself"
        )


def _upload_once(model: ModelData, computer: Computer, transport: Transport) -> PurePosixPath:
    workdir = computer.get_workdir().format(username=transport.whoami())
    path = PurePosixPath(workdir) / "crucible" / "checkpoints" / str(model.sha256)
    if transport.isfile(str(path)):
        return path
    transport.makedirs(str(path.parent), ignore_existing=True)
    unfinished = str(path.with_name(f".{path.name}.{uuid.uuid4().hex}"))
    try:
        with tempfile.NamedTemporaryFile() as local:
            with model.base.repository.open(CHECKPOINT_FILE, mode="rb") as content:
                shutil.copyfileobj(content, local)
            local.flush()
            transport.putfile(local.name, unfinished)
        transport.rename(unfinished, str(path))
    except OSError:
        if transport.isfile(unfinished):
            transport.remove(unfinished)
        # Some transports refuse to replace a file: another job was quicker, with the same bytes.
        if not transport.isfile(str(path)):
            raise
    return path

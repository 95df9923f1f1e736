"""The whole state of a run, written atomically; the checkpoint before it is kept."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crucible_engine.wire.arrays import read_arrays
from crucible_engine.wire.results import sync_folder
from crucible_engine.wire.schema import Condition, EngineError
from crucible_engine.wire.value_types import parse_json, require_type

STATE_FILE = "state.npz"
PREVIOUS_STATE_FILE = "state.previous.npz"
_SCALARS = "scalars"

Arrays = dict[str, NDArray[Any]]


class Checkpoints:
    """The checkpoints of a job.

    :param folder: where they are.
    :param identity: whose work they belong to, JSON-serializable; see :mod:`crucible_engine.job.runner`.
    """

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self._path, self._previous = folder / STATE_FILE, folder / PREVIOUS_STATE_FILE
        self._identity = identity

    def write(self, scalars: dict[str, Any], arrays: Arrays) -> None:
        """Write a checkpoint: whoever looks sees this one or the one before, whole.

        :param scalars: JSON-serializable.
        :param arrays: by name; of numbers.
        :raises OSError: if the disk is full; the checkpoints that were there are still there.
        """
        text = json.dumps({"identity": self._identity, **scalars})
        temporary = self._path.with_name(f".{STATE_FILE}.part")
        try:
            with temporary.open("wb") as stream:
                np.savez(stream, allow_pickle=False, **{_SCALARS: np.array(text)}, **arrays)
                stream.flush()
                os.fsync(stream.fileno())
            if self._path.exists():
                self._path.replace(self._previous)
            temporary.replace(self._path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(self._path.parent)

    def read(self) -> tuple[dict[str, Any], Arrays] | None:
        """Return the newest intact checkpoint as (scalars, arrays); ``None`` where there is none.

        :raises EngineError: ``INVALID_JOB``, if it belongs to other work, or if there are only damaged ones.
        """
        damage = ""
        for path in (self._path, self._previous):
            if not path.exists():
                continue
            try:
                scalars, arrays = _load(path)
            except (ValueError, KeyError) as error:
                damage = damage or f"{path.name} is damaged ({error})"
                continue
            self._require_own(path.name, scalars.pop("identity", None))
            return scalars, arrays
        if damage:
            raise EngineError(
                Condition.INVALID_JOB, f"{damage} and no older checkpoint is intact: start the run without them"
            )
        return None

    def _require_own(self, name: str, found: Any) -> None:
        wanted = json.loads(json.dumps(self._identity))
        if found == wanted:
            return
        different = _differences(found, wanted) if isinstance(found, dict) else ["work"]
        if "parameters" in different and isinstance(found.get("parameters"), dict):
            parameters = _differences(found["parameters"], wanted["parameters"])
            different[different.index("parameters")] = ", ".join(f"parameter {name!r}" for name in parameters)
        words = {
            "structures": "structure",
            "reference": "reference",
            "protocol": "version of the engine",
            "settings": "settings of the model",
        }
        raise EngineError(
            Condition.INVALID_JOB,
            f"{name} is the checkpoint of another run, with another "
            f"{', '.join(words.get(key, key) for key in different)}: restart from the run that wrote it, or start anew",
        )


def _differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return sorted(key for key in {*one, *other} if one.get(key) != other.get(key))


def _load(path: Path) -> tuple[dict[str, Any], Arrays]:
    arrays = read_arrays(path)
    scalars = parse_json(str(arrays.pop(_SCALARS)))
    require_type(_SCALARS, scalars, dict[str, Any])
    return scalars, arrays

"""The whole state of what a job is at, written atomically; the checkpoint before it is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crucible_engine.wire.arrays import read_arrays, written_whole
from crucible_engine.wire.journal import differing
from crucible_engine.wire.schema import PREVIOUS_STATE_FILE, STATE_FILE, Condition, EngineError
from crucible_engine.wire.value_types import parse_json, require_type

SCALARS = "scalars"

Arrays = dict[str, NDArray[Any]]


class Checkpoints:
    """The checkpoints of a job.

    :param identity: whose work they belong to, JSON-serializable; see :mod:`crucible_engine.job.runner`.
    """

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self._path, self._previous = folder / STATE_FILE, folder / PREVIOUS_STATE_FILE
        self._identity = identity

    def write(self, scalars: dict[str, Any], arrays: Arrays) -> None:
        """Write a checkpoint atomically: a reader sees this one or the one before.

        :param scalars: JSON-serializable.
        :param arrays: by name; of numbers.
        :raises OSError: if the disk is full; the checkpoints that were there are still there.
        """
        text = json.dumps({"identity": self._identity, **scalars})
        with written_whole(self._path, self._previous) as stream:
            np.savez(stream, allow_pickle=False, **{SCALARS: np.array(text)}, **arrays)

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
        if isinstance(found, dict) and isinstance(found.get("parameters"), dict):
            # A run of an engine of this protocol that did not know a parameter yet did as one that leaves it unset.
            unset = {name: None for name, value in wanted["parameters"].items() if value is None}
            found = {**found, "parameters": {**unset, **found["parameters"]}}
        if found == wanted:
            return
        different = differing(found, wanted) if isinstance(found, dict) else ["work"]
        if "parameters" in different and isinstance(found.get("parameters"), dict):
            parameters = differing(found["parameters"], wanted["parameters"])
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


def _load(path: Path) -> tuple[dict[str, Any], Arrays]:
    arrays = read_arrays(path)
    scalars = parse_json(str(arrays.pop(SCALARS)))
    require_type(SCALARS, scalars, dict[str, Any])
    return scalars, arrays

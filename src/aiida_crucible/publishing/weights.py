"""Which weights an archive may hold: those whose licence lets anybody pass them on."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiida.orm import Node

from aiida_crucible.nodes.bounds import LARGEST_SAYING, read_bounded
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.weights import KEY, STAND_IN, key_of_weights
from crucible_engine.wire.schema import CHECKPOINT_FILE
from crucible_engine.wire.value_types import parse_json

FREE = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-4.0", "CC-BY-SA-4.0", "CC0-1.0", "GPL-2.0-only",
        "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "ISC", "LGPL-2.1-only", "LGPL-2.1-or-later",
        "LGPL-3.0-only", "LGPL-3.0-or-later", "MIT", "MIT-0", "MPL-2.0", "ODC-By-1.0", "Unlicense", "Zlib",
    }
)  # fmt: skip
"""Licences (SPDX) under which anybody may pass a file on, for any purpose."""


@dataclass(frozen=True)
class LeftOut:
    """Weights that an archive does not hold.

    :param model: UUID of the node.
    :param title: what people call it.
    :param family: of the model.
    :param sha256: of the weights' file, hexadecimal.
    :param size: of it, bytes.
    :param licence: what is known of it.
    """

    model: str
    title: str
    family: str
    sha256: str
    size: int
    licence: str | None

    @property
    def reason(self) -> str:
        """Why they are left out."""
        if self.licence is None:
            return "nobody said what their licence is"
        return f"their licence ({self.licence}) does not let everybody pass them on"

    def stand_in(self) -> bytes:
        """Return what stands in the place of the weights: JSON that says what is missing."""
        content = {
            KEY: STAND_IN,
            "family": self.family,
            "title": self.title,
            "sha256": self.sha256,
            "size": self.size,
            "licence": self.licence,
            "how": f"aiida-crucible model add {self.family} FILE, with the file of this sha256",
        }
        return json.dumps(content, indent=1, sort_keys=True).encode() + b"\n"


def to_leave_out(models: Iterable[ModelData], include_unknown: bool = False) -> list[LeftOut]:
    """Return the weights that may not travel.

    :param models: those of an export; only a model of a checkpoint file holds any weights.
    :param include_unknown: whether weights of which no licence is known travel.
    """
    found = []
    for model in models:
        key = key_of_weights(model)
        if key is None or key != model.sha256:
            continue  # it holds none, or a stand-in already
        if model.licence in FREE or (model.licence is None and include_unknown):
            continue
        with model.base.repository.open(CHECKPOINT_FILE, "rb") as stream:
            size = stream.seek(0, io.SEEK_END)
        found.append(LeftOut(model.uuid, model.title, model.family, key, size, model.licence))
    return found


def read_stand_in(model: Node) -> dict[str, Any] | None:
    """Return what a model's stand-in says, ``None`` where the file is none; see :meth:`LeftOut.stand_in`."""
    try:
        with model.base.repository.open(CHECKPOINT_FILE, "rb") as stream:
            content = parse_json(read_bounded(stream, LARGEST_SAYING))
    except (OSError, ValueError):
        return None
    is_one = isinstance(content, dict) and content.get(KEY) == STAND_IN
    return content if is_one and content.get("sha256") == model.base.attributes.get("sha256", None) else None

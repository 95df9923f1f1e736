"""Whether a model's node holds its weights, or a stand-in for what an archive was not allowed to hold."""

from __future__ import annotations

import re

from aiida.orm import Node

from crucible_engine.wire.schema import CHECKPOINT_FILE

KEY, STAND_IN = "aiida-crucible", "weights left out"
"""By which a stand-in is known; ``publishing/weights.py`` writes it."""

SHA256 = re.compile("[0-9a-f]{64}")


def key_of_weights(model: Node) -> str | None:
    """Return the sha256 of the file that stands for a stored model's weights; ``None`` where the node has none.

    AiiDA names the objects of its repositories by it, so that the bytes are not read.
    """
    repository = model.base.repository
    if CHECKPOINT_FILE not in repository.list_object_names():
        return None
    key = repository.get_object(CHECKPOINT_FILE).key
    return key if key is not None and SHA256.fullmatch(key) else None


def weights_are_missing(model: Node) -> bool:
    """Return whether another file stands in the place of a model's weights, as an archive may bring it."""
    key = key_of_weights(model) if model.is_stored else None
    return key is not None and key != model.base.attributes.get("sha256", None)


def require_weights(model: Node) -> None:
    """Refuse to run a model whose weights an archive has left out.

    :raises ValueError: one line.
    """
    if weights_are_missing(model):
        family, sha256 = model.base.attributes.get("family"), model.base.attributes.get("sha256")
        raise ValueError(
            f"the weights of model {model.label or family} were left out of the archive that brought it: get the file "
            f"with sha256 {sha256}, `aiida-crucible model add {family} FILE`, and run with the model that it makes"
        )

"""The cache digest of a model, which AiiDA would change with the place of its class."""

from __future__ import annotations

from typing import Any

from aiida.orm.nodes.caching import NodeCaching

FIRST_NAME = "<class 'aiida_crucible.data.model.ModelData'>"
"""What the class was called when its first nodes were hashed: as good as any other word, as long as it stays."""


class ModelCaching(NodeCaching):
    """Hashes a model by what it says, wherever its class lies."""

    def get_objects_to_hash(self) -> dict[str, Any]:
        """Return what the digest is made of."""
        return {**super().get_objects_to_hash(), "class": FIRST_NAME}

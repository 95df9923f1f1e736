"""What is used of ``aiida.orm`` and ``aiida.common`` beyond their documented interface; imports no engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from aiida.common.constants import elements as elements
from aiida.common.escaping import escape_for_bash as escape_for_bash
from aiida.orm import Node, RemoteData
from aiida.orm.nodes.caching import NodeCaching
from aiida.orm.utils.links import LinkTriple as LinkTriple
from aiida.orm.utils.log import DBLogHandler as DBLogHandler
from sqlalchemy.exc import InvalidRequestError

CACHED_FROM = NodeCaching.CACHED_FROM_KEY
"""Extra of what AiiDA's cache has answered."""

NodeClass = TypeVar("NodeClass", bound=type[Node])


def hashed_as(name: str) -> Callable[[NodeClass], NodeClass]:
    """Return what lets AiiDA hash the nodes of a class by what they say, wherever the class lies.

    :param name: what stands for the class in the digest.
    """

    class Caching(NodeCaching):
        def get_objects_to_hash(self) -> dict[str, Any]:
            return {**super().get_objects_to_hash(), "class": name}

    def mark(node_class: NodeClass) -> NodeClass:
        node_class._CLS_NODE_CACHING = Caching
        return node_class

    return mark


def is_deleted(node: Node) -> bool:
    """Return whether a node was deleted from the profile since it was loaded."""
    try:
        node.backend_entity.is_stored  # noqa: B018
        node.base.attributes.keys()
    except InvalidRequestError:  # ObjectDeletedError is one; the session may have let go of it before
        return True
    return False


def clean_folder(folder: RemoteData) -> None:
    """Empty a folder on its computer.

    :raises Exception: each transport has its own.
    """
    folder._clean()

"""A node by what a user calls it."""

from __future__ import annotations

from aiida.common.exceptions import MultipleObjectsError, NotExistent
from aiida.orm import Node, load_node

from crucible_engine.wire.rules import shown


def find_node(identifier: str, what: str, way: str) -> Node:
    """Return a node of this profile.

    :param identifier: its PK, UUID or label.
    :param what: is looked for, as the message should call it.
    :param way: to what was meant, for the message.
    :raises ValueError: one line, if there is none, or more than one.
    """
    try:
        return load_node(identifier)
    except MultipleObjectsError:
        raise ValueError(f"{shown(identifier)} may be any of several nodes: give the PK of the {what}") from None
    except (NotExistent, ValueError, OverflowError):  # the last is of a number that no database holds
        raise ValueError(
            f"there is no node {shown(identifier)} in this profile: give the PK of a {what}; {way}"
        ) from None

"""What is said of a value that no input takes: what it is, what to give, and how that is made of it."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from aiida.orm import AbstractCode, Bool, Dict, Float, Int, List, Node, Str, StructureData, TrajectoryData
from ase import Atoms

from crucible_engine.wire.rules import shown

PLAIN_NODES = (Bool, Dict, Float, Int, List, Str)
"""Nodes that AiiDA makes of Python's own values."""


def misfit(value: Any, types: tuple[type, ...]) -> str:
    """Return what a value is that is of no type that fits, what to give, and how that is made of the value.

    :param types: those that fit.
    """
    names = " or ".join(_with_article(kind) for kind in types if kind is not type(None))
    hint = _conversion(value, types)
    given = f"{shown(value)}, of type {type(value).__name__}"
    return f"{given}: give {names} ({hint})" if hint else f"{given}: give {names}"


def _with_article(kind: type) -> str:
    name = "Code" if kind is AbstractCode else kind.__name__
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def _conversion(value: Any, types: tuple[type, ...]) -> str | None:
    """Return how a value becomes a node of one of the types, where that is known."""
    if isinstance(value, Atoms) and StructureData in types:
        return "`aiida_crucible.nodes.from_atoms` makes one of ASE's Atoms"
    if isinstance(value, list | tuple | Atoms) and TrajectoryData in types:
        return "`aiida_crucible.nodes.atoms_to_trajectory` makes one of a list of ASE's Atoms"
    is_node = any(issubclass(kind, Node) and kind not in PLAIN_NODES for kind in types)
    if isinstance(value, int) and not isinstance(value, bool) and is_node:
        return f"`aiida.orm.load_node({value})` is the node of that PK"
    if isinstance(value, str | PurePath) and StructureData in types:
        return "`from_atoms(ase.io.read(path))` makes one of a file, `aiida.orm.load_node(uuid)` finds a node"
    return "`aiida.orm.load_node(uuid)` finds a node" if isinstance(value, str) and is_node else None

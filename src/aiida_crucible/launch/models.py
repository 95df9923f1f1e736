"""A model by the name that a user gives it."""

from __future__ import annotations

from pathlib import Path

from aiida.orm import Node, QueryBuilder

from aiida_crucible.nodes.file_digest import is_file, is_folder
from aiida_crucible.nodes.model import ModelData
from crucible_engine.families.registry import FAMILIES
from crucible_engine.wire.rules import shown, suggestion


def find_model(name: str) -> ModelData:
    """Return the model that a user names by PK, UUID, label or title; a family's name means its default weights.

    ``FAMILY:NAME`` are released weights by their name, ``FAMILY:FILE`` those of a file. The node of these is not stored
    where there is none yet.

    :raises ValueError: if there is none, or more than one.
    """
    family, _, weights = name.partition(":")
    if family in FAMILIES:
        if "/" in weights or (weights and (is_file(Path(weights)) or is_folder(Path(weights)))):
            return ModelData.get_or_create(family, checkpoint=weights, store=False)
        return ModelData.get_or_create(family, weights or None, store=False)
    nodes: list[ModelData] = QueryBuilder().append(ModelData).all(flat=True)
    matches = [node for node in nodes if name in (str(node.pk), node.uuid, node.label, node.title)]
    if len({node.definition() for node in matches}) == 1:
        return matches[0]  # an imported archive may bring a potential that is there already
    if matches:
        raise ValueError(f"{name!r} may be any of {', '.join(f'PK {node.pk}' for node in matches)}: give a PK")
    if is_file(Path(name)):
        raise ValueError(f"{name} is a file: write of which family its weights are, e.g. mace:{name}")
    if all(part.partition(":")[0] in FAMILIES for part in name.split(",")) and "," in name:
        raise ValueError(f"{shown(name)} are several models: give each on its own (-m may be repeated)")
    if name.isdigit() and (other := QueryBuilder().append(Node, filters={"id": int(name)}).first(flat=True)):
        raise ValueError(
            f"node {name} is a {type(other).__name__} and no model: `aiida-crucible model list` shows them"
        )
    hint = suggestion(name, [*FAMILIES, *(node.title for node in nodes)])
    raise ValueError(f"there is no model {shown(name)} in this profile: {hint} (`aiida-crucible model add` makes one)")

"""What processes and results are about, as labels and extras of their nodes, so that lists and queries tell it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aiida.common.links import LinkType
from aiida.orm import ArrayData, Dict, Node, ProcessNode, StructureData

from crucible_engine.wire.rules import shown

SEPARATOR = " · "
PREFIX = "crucible_"


DESCRIPTION = "protocol {protocol}; overrides: {overrides}"

OF_RESULTS = ("formula", "elements", "model", "family", "theory", "temperatures", "protocol")
"""Extras that a result has of the process that it is of."""

VERDICT = "verdict"
"""Output of what judges a model."""

MOST_RESULTS = 100
"""Results of one process that get labels: those of a benchmark are thousands."""


def describe_protocol(protocol: str, overrides: Mapping[str, Any]) -> str:
    """Return the description of a process that a protocol made."""
    return DESCRIPTION.format(protocol=protocol, overrides=shown(dict(overrides)) if overrides else "none")


def name_results(node: ProcessNode) -> None:
    """Give what a process has made or returned a label and extras of the process, where it has no label.

    What it has made gets the extras in any case: a relaxed crystal has the label of the one that was given.

    A process with a verdict gets it as extras as well, ``trusted`` and ``headline``, and in its description.

    :param node: that has ended.
    """
    of_process = node.base.extras.all
    about = {f"{PREFIX}{name}": of_process[f"{PREFIX}{name}"] for name in OF_RESULTS if f"{PREFIX}{name}" in of_process}
    if not node.label or not about:
        return
    links = node.base.links.get_outgoing(
        node_class=(StructureData, Dict, ArrayData), link_type=(LinkType.CREATE, LinkType.RETURN)
    )
    for link in links.all()[:MOST_RESULTS]:
        if link.link_label == VERDICT:
            said = link.node.get_dict()
            node.base.extras.set_many({f"{PREFIX}{name}": said[name] for name in ("trusted", "headline")})
            # Where `verdi process dump` and `verdi process show` have it too.
            node.description = "\n".join(filter(None, [node.description, f"verdict: {said['headline']}"]))
        if not link.node.label:
            link.node.label = f"{node.label}{SEPARATOR}{link.link_label.replace('__', '.')}"
        elif link.link_type is not LinkType.CREATE:
            continue
        link.node.base.extras.set_many(about)


def name_process(node: ProcessNode, inputs: Mapping[str, Any]) -> None:
    """Give the node of a process a label, where it has none, and extras: ``crucible_…``.

    The extras are ``formula`` (reduced, Hill's order), ``elements``, ``n_atoms``, ``n_structures``, ``model`` (its
    title), ``family``, ``theory``, ``temperatures`` (K), and ``protocol`` and ``overrides`` of what a protocol made,
    as far as they are known, and ``named`` where the label is of this function. Nothing of it counts for AiiDA's
    caching.

    :param node: stored.
    :param inputs: nested as the ports are.
    """
    from aiida_crucible.nodes.model import ModelData  # which `status` need not wait for

    structures = list(_nodes(inputs, StructureData))
    model = next(_nodes(inputs, ModelData), None)
    about: dict[str, Any] = {}
    words = []
    if structures:
        formulas = list(dict.fromkeys(each.get_formula(mode="hill_compact") for each in structures))
        about |= {
            "formula": formulas[0],
            "elements": sorted({symbol for each in structures for symbol in each.get_symbols_set()}),
            "n_atoms": len(structures[0].sites),
            "n_structures": len(structures),
        }
        words.append(formulas[0] if len(formulas) == 1 else f"{len(structures)} structures")
    if model is not None:
        about |= {"model": model.title, "family": model.family, "theory": model.functional}
        words.append(model.title)
    if temperatures := _temperatures(inputs):
        about["temperatures"] = temperatures
        words.append(" ".join(f"T{each:g}" for each in (temperatures[:1] + temperatures[1:][-1:])))
    if found := re.fullmatch(DESCRIPTION.format(protocol=r"(\S+)", overrides="(.*)"), node.description, re.DOTALL):
        about |= {"protocol": found[1], "overrides": found[2]}
    if words and not node.label:
        node.label = SEPARATOR.join(words)
        about["named"] = True
    node.base.extras.set_many({f"{PREFIX}{name}": value for name, value in about.items() if value is not None})


def given_label(label: str, extras: Mapping[str, Any]) -> str:
    """Return the label that a user gave to a process; empty where it has none, or one of :func:`name_process`."""
    return "" if extras.get(f"{PREFIX}named", False) else label


def _nodes(inputs: Mapping[str, Any], kind: type[Node]) -> Any:
    """Yield the nodes of a kind, those of the highest levels first."""
    levels = [inputs]
    while levels:
        yield from (value for level in levels for value in level.values() if isinstance(value, kind))
        inner = [value for level in levels for value in level.values()]
        levels = [value for value in inner if isinstance(value, Mapping) and not isinstance(value, Node)]


def _temperatures(inputs: Mapping[str, Any]) -> list[float]:
    """Return the temperatures of a run, where its parameters have some."""
    parameters = inputs.get("parameters", inputs.get("dynamics", {}).get("parameters"))
    found = parameters.get_dict().get("temperatures") if isinstance(parameters, Node) else None
    return sorted(set(found)) if isinstance(found, list) else []

"""The provenance graph of a process as a drawing: what went in, what was computed from it, and what came out."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from aiida.orm import CalculationNode, ProcessNode, RemoteData

from aiida_crucible.report.links import NodeFacts, facts_of, facts_of_inputs, facts_of_outputs
from aiida_crucible.report.page.document import Graph, Table
from aiida_crucible.report.page.layers import in_layers

MOST_DRAWN = 70
"""Calculations up to which each is drawn; of more, each step of the process is one box."""
WIDTH, HEIGHT, ACROSS, DOWN = 168, 38, 52, 12
"""Pixels of a box, and between two of them."""
LETTERS = 25
"""Of a line within a box."""


@dataclass(frozen=True)
class _Box:
    """One thing that is drawn: a calculation, a node of data, or several of data that share a calculation.

    :param key: unique.
    :param nodes: that it stands for.
    :param label: what it is to the calculation that made or uses it.
    """

    key: str
    nodes: tuple[NodeFacts, ...]
    label: str


def provenance(process: ProcessNode, below: Sequence[ProcessNode], title: str) -> tuple[Graph, Table]:
    """Return the graph of a process, and a table of its nodes that the boxes lead to.

    :param below: all processes that it called.
    :param title: of the graph.
    """
    steps = _steps(process, below)
    links = _links(process, steps)
    boxes, edges = _boxes(steps, links)
    order = sorted(boxes.values(), key=lambda box: (box.nodes[0].ctime, box.key))
    layers = in_layers([box.key for box in order], edges)
    nodes = sorted(
        {node.uuid: node for box in order for node in box.nodes}.values(), key=lambda node: (node.ctime, node.uuid)
    )
    caption = (
        f"From left to right {len(steps)} calculations (boxes) and {len(nodes) - len(steps)} nodes of data (rounded; "
        "those that only one calculation uses or makes share a box). A click leads to the node's line in the table "
        "below."
    )
    rows = [[node.short, node.kind, node.label, _first_line(node)] for node in nodes]
    table = Table(f"Nodes: {title}", ("node", "type", "label", "description"), rows)
    return Graph(title, caption, _svg([[boxes[key] for key in layer] for layer in layers], edges)), table


def _steps(process: ProcessNode, below: Sequence[ProcessNode]) -> list[NodeFacts]:
    """Return the calculations of a process, or its steps where there are many, in the order of their creation."""
    chosen = [process]
    if not isinstance(process, CalculationNode):
        calculations = [node for node in below if isinstance(node, CalculationNode)]
        chosen = calculations if len(calculations) <= MOST_DRAWN else list(process.called)
    return sorted(facts_of([node.pk for node in chosen]), key=lambda node: (node.ctime, node.uuid))


def _links(process: ProcessNode, steps: Sequence[NodeFacts]) -> list[tuple[NodeFacts, NodeFacts, str]]:
    """Return what goes into and comes out of the steps, but for what nobody uses and the process does not return."""
    by_pk = {step.pk: step for step in steps}
    into = facts_of_inputs(by_pk)
    given = {(data.pk, step) for data, step, _ in into}
    returned = [data.pk for data, *_ in facts_of_outputs([process.pk]) if data.kind != RemoteData.__name__]
    wanted = {data.pk for data, *_ in into}.union(returned)
    # A step that hands on what it was given has not made it.
    out = [each for each in facts_of_outputs(by_pk) if each[0].pk in wanted and (each[0].pk, each[1]) not in given]
    place = {pk: number for number, pk in enumerate(by_pk)}
    return [
        *((data, by_pk[step], _bare(label)) for data, step, label in sorted(into, key=lambda e: (place[e[1]], e[2]))),
        *((by_pk[step], data, _bare(label)) for data, step, label in sorted(out, key=lambda e: (place[e[1]], e[2]))),
    ]


def _bare(label: str) -> str:
    """Return the label of a link without its namespaces."""
    return label.rpartition("__")[2]


def _boxes(
    steps: Sequence[NodeFacts], links: Sequence[tuple[NodeFacts, NodeFacts, str]]
) -> tuple[dict[str, _Box], list[tuple[str, str]]]:
    """Return boxes by their keys, and what points to what."""
    labels: dict[str, str] = {}
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    data: dict[str, NodeFacts] = {}
    for begin, end, label in links:
        node = begin if begin.is_data else end
        data[node.uuid] = node
        labels[node.uuid] = label if node is end else labels.get(node.uuid, label)
        before.setdefault(end.uuid, []).append(begin.uuid)
        after.setdefault(begin.uuid, []).append(end.uuid)
    boxes = {step.uuid: _Box(step.uuid, (step,), _title(step)) for step in steps}
    edges: list[tuple[str, str]] = []
    shared: dict[tuple[str, bool], list[NodeFacts]] = {}
    for uuid, node in data.items():
        makers, users = before.get(uuid, []), after.get(uuid, [])
        if len(makers) + len(users) == 1:
            shared.setdefault(((makers or users)[0], bool(makers)), []).append(node)
            continue
        boxes[uuid] = _Box(uuid, (node,), labels[uuid])
        edges += [(each, uuid) for each in makers] + [(uuid, each) for each in users]
    for (step, is_result), nodes in shared.items():
        key = f"{step}-{'results' if is_result else 'inputs'}"
        boxes[key] = _Box(key, tuple(nodes), ", ".join(dict.fromkeys(labels[node.uuid] for node in nodes)))
        edges.append((step, key) if is_result else (key, step))
    return boxes, list(dict.fromkeys(edges))


def _svg(layers: Sequence[Sequence[_Box]], edges: Sequence[tuple[str, str]]) -> str:
    tallest = max((len(layer) for layer in layers), default=1)
    height = tallest * (HEIGHT + DOWN) + DOWN
    width = len(layers) * (WIDTH + ACROSS) - ACROSS + DOWN
    corner = {
        box.key: (column * (WIDTH + ACROSS) + DOWN / 2, row * (HEIGHT + DOWN) + DOWN)
        for column, layer in enumerate(layers)
        for row, box in enumerate(layer)
    }
    names = {box.key: f"b{number}" for number, box in enumerate(box for layer in layers for box in layer)}
    lines = [_edge(corner[begin], corner[end], names[begin], names[end]) for begin, end in edges]
    drawn = [_box(box, corner[box.key], names[box.key]) for layer in layers for box in layer]
    return (
        f'<svg class="provenance" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="group" aria-label="provenance graph">'
        f"{''.join(lines)}{''.join(drawn)}</svg>"
    )


def _edge(begin: tuple[float, float], end: tuple[float, float], source: str, target: str) -> str:
    x, y = begin[0] + WIDTH, begin[1] + HEIGHT / 2
    to_x, to_y = end[0], end[1] + HEIGHT / 2
    middle = (x + to_x) / 2
    return (
        f'<path class="edge" data-from="{source}" data-to="{target}" '
        f'd="M{x:g} {y:g}C{middle:g} {y:g} {middle:g} {to_y:g} {to_x:g} {to_y:g}"/>'
    )


def _box(box: _Box, corner: tuple[float, float], name: str) -> str:
    x, y = corner
    first = box.nodes[0]
    kind, radius = ("data", HEIGHT / 2) if first.is_data else ("calculation", 4)
    below = f"{first.kind} {first.short}" if len(box.nodes) == 1 else f"{len(box.nodes)} nodes"
    said = "; ".join(f"{node.kind} {node.short} {node.label}".rstrip() for node in box.nodes)
    title = html.escape(f"{box.label}: {said}")
    texts = "".join(
        f'<text x="{x + WIDTH / 2:g}" y="{y + 16 + 14 * number:g}" class="line{number}">{html.escape(line)}</text>'
        for number, line in enumerate((_shortened(box.label), below))
    )
    return (
        f'<a href="#node-{first.short}" class="{kind}" data-node="{name}"><title>{title}</title>'
        f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="{radius:g}"/>{texts}</a>'
    )


def _shortened(text: str) -> str:
    return text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…"


def _title(step: NodeFacts) -> str:
    """Return what a calculation does, and at which temperature."""
    what = step.kind.removesuffix("Calculation").removesuffix("WorkChain").replace("_", " ")
    detail = step.label.rpartition(" · ")[2]
    return f"{what} {detail}" if detail[:1] == "T" and detail[1:2].isdigit() else what


def _first_line(node: NodeFacts) -> str:
    return node.description.splitlines()[0] if node.description else ""

"""Nodes of a directed graph without cycles in layers, so that every edge points one way.

After Sugiyama, Tagawa and Toda, IEEE Trans. Syst. Man Cybern. 11, 109 (1981): layers by the longest path, and an order
within each that puts a node near the mean of its neighbours.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from graphlib import TopologicalSorter
from typing import TypeVar

T = TypeVar("T", bound=Hashable)

SWEEPS = 4


def in_layers(nodes: Sequence[T], edges: Iterable[tuple[T, T]]) -> list[list[T]]:
    """Return the nodes by layer, each in the order in which it is drawn.

    :param nodes: in an order that ties follow.
    :param edges: from one node to another.
    :raises graphlib.CycleError: if there is a cycle.
    """
    before: dict[T, list[T]] = {node: [] for node in nodes}
    after: dict[T, list[T]] = {node: [] for node in nodes}
    for begin, end in dict.fromkeys(edges):
        before[end].append(begin)
        after[begin].append(end)
    depth: dict[T, int] = {}
    for node in TopologicalSorter(before).static_order():
        depth[node] = max((depth[each] + 1 for each in before[node]), default=0)
    # A source stands next to what it is for, and not with all other sources on the far side.
    for node in nodes:
        if not before[node] and after[node]:
            depth[node] = min(depth[each] for each in after[node]) - 1
    layers: list[list[T]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node in nodes:
        layers[depth[node]].append(node)
    for number in range(SWEEPS):
        neighbours, ordered = (before, layers) if number % 2 == 0 else (after, layers[::-1])
        for layer in ordered:
            _sort(layer, neighbours, layers)
    return layers


def _sort(layer: list[T], neighbours: dict[T, list[T]], layers: Sequence[Sequence[T]]) -> None:
    """Order one layer by the mean place of its neighbours; a node without any keeps its own."""
    place = {node: (index + 0.5) / len(each) for each in layers for index, node in enumerate(each)}
    means = {
        node: sum(place[each] for each in neighbours[node]) / len(neighbours[node]) if neighbours[node] else place[node]
        for node in layer
    }
    layer.sort(key=lambda node: means[node])

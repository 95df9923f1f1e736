"""Layers of a graph: every edge points one way, and what belongs together stands together."""

from __future__ import annotations

from graphlib import CycleError

import pytest

from aiida_crucible.report.page.layers import in_layers


def test_every_edge_points_to_a_later_layer():
    edges = [("a", "job"), ("b", "job"), ("job", "x"), ("x", "last"), ("b", "last"), ("last", "y")]
    layers = in_layers(["a", "b", "job", "x", "last", "y"], edges)
    depth = {node: number for number, layer in enumerate(layers) for node in layer}
    assert all(depth[begin] < depth[end] for begin, end in edges)
    assert sorted(depth) == ["a", "b", "job", "last", "x", "y"]


def test_a_source_stands_next_to_what_it_is_for():
    layers = in_layers(["a", "job", "x", "late", "last"], [("a", "job"), ("job", "x"), ("x", "last"), ("late", "last")])
    assert "late" in layers[2]


def test_chains_beside_each_other_do_not_cross():
    edges = [(f"{kind}{number}", f"{after}{number}") for kind, after in ("ab", "bc") for number in range(4)]
    nodes = [f"{kind}{number}" for kind in "abc" for number in range(4)]
    shuffled = nodes[:4] + nodes[4:8][::-1] + nodes[8:]
    layers = in_layers(shuffled, edges)
    orders = [[node[1] for node in layer] for layer in layers]
    assert orders[0] == orders[1] == orders[2]


def test_a_cycle_is_refused():
    with pytest.raises(CycleError):
        in_layers(["a", "b"], [("a", "b"), ("b", "a")])

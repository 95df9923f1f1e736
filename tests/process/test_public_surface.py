"""What others rely on is as it was recorded: names, exit codes, ports, cache digests; old nodes still load."""

from __future__ import annotations

import json

import public_surface
import pytest
from aiida.orm import CalcFunctionNode, load_node

from aiida_crucible.nodes.structures import from_atoms


@pytest.fixture(scope="module")
def now(model):
    return public_surface.record(from_atoms, model)


@pytest.mark.parametrize("part", ["entry_points", "exit_codes", "ports", "digests"])
def test_it_is_as_it_was_recorded(now, part):
    recorded = json.loads(public_surface.RECORD.read_text(encoding="utf-8"))
    assert json.loads(json.dumps(now[part])) == recorded[part]


def test_a_node_of_a_function_that_has_moved_still_loads(profile):
    node = CalcFunctionNode(process_type="aiida_crucible.workflows.phonon.calcfunctions.analyse_phonons").store().seal()
    assert load_node(node.uuid).process_type == "aiida_crucible.workflows.phonon.calcfunctions.analyse_phonons"

"""What others rely on is as it was recorded: names, exit codes, ports, cache digests; old nodes still load."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import public_surface
import pytest
from aiida.orm import CalcFunctionNode, load_node

import aiida_crucible
from aiida_crucible.nodes.structures import from_atoms


@pytest.fixture(scope="module")
def now(model):
    return public_surface.record(from_atoms, model)


def _module(path):
    parts = path.relative_to(Path(aiida_crucible.__file__).parents[1]).with_suffix("").parts
    return import_module(".".join(parts))


@pytest.mark.parametrize("part", ["entry_points", "exit_codes", "ports", "digests"])
def test_it_is_as_it_was_recorded(now, part):
    recorded = json.loads(public_surface.RECORD.read_text(encoding="utf-8"))
    assert json.loads(json.dumps(now[part])) == recorded[part]


def test_a_node_of_a_function_that_has_moved_still_loads(profile):
    node = CalcFunctionNode(process_type="aiida_crucible.calcfunctions.phonons.analyse_phonons").store().seal()
    assert load_node(node.uuid).process_type == "aiida_crucible.calcfunctions.phonons.analyse_phonons"


def test_every_function_is_registered_so_that_its_process_type_names_no_module():
    types = {
        member.process_class.build_process_type()
        for path in sorted(Path(aiida_crucible.__file__).parent.rglob("*calcfunctions.py"))
        for member in vars(_module(path)).values()
        if getattr(member, "is_process_function", False)
    }
    assert len(types) > 20
    assert {kind for kind in types if not kind.startswith("aiida.calculations:crucible.")} == set()

"""What others rely on is as it was recorded: names, exit codes, ports, cache digests; old nodes still load."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import public_surface
import pytest
from aiida.common.links import LinkType
from aiida.orm import CalcFunctionNode, CalcJobNode, TrajectoryData, load_node

import aiida_crucible
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.workflows.sweep.inputs import outcome_of


@pytest.fixture(scope="module")
def now(model):
    return public_surface.record(from_atoms, model)


def _module(path):
    parts = path.relative_to(Path(aiida_crucible.__file__).parents[1]).with_suffix("").parts
    return import_module(".".join(parts))


@pytest.mark.parametrize("part", ["entry_points", "exit_codes", "ports", "digests"])
def test_it_is_as_it_was_recorded(now, part):
    recorded = json.loads(public_surface.RECORD.read_text(encoding="utf-8"))
    assert list(_lost(recorded[part], json.loads(json.dumps(now[part])), part)) == []


def _lost(recorded, now, where):
    """Yield what is no longer as it was recorded; what is new is nobody's loss."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        for key, value in recorded.items():
            yield from _lost(value, now[key], f"{where}.{key}") if key in now else [f"{where}.{key} is gone"]
    elif isinstance(recorded, list) and isinstance(now, list):
        yield from (f"{where}: {item!r} is gone" for item in recorded if item not in now)
    elif recorded != now:
        yield f"{where} was {recorded!r} and is {now!r}"


def test_what_is_lost_is_seen():
    recorded = {"a": [1, 2], "b": {"c": "x", "d": "y"}}
    assert list(_lost(recorded, {"a": [2, 3], "b": {"c": "z"}, "e": 1}, "all")) == [
        "all.a: 1 is gone",
        "all.b.c was 'x' and is 'z'",
        "all.b.d is gone",
    ]
    assert not list(_lost(recorded, recorded, "all"))


@pytest.mark.parametrize(
    ("kind", "process_type"),
    [
        (CalcFunctionNode, "aiida_crucible.calcfunctions.phonons.analyse_phonons"),
        (CalcJobNode, "aiida.calculations:of_a_plugin.that_is_not_here"),
    ],
)
def test_what_a_process_that_is_gone_has_made_is_still_taken(profile, kind, process_type):
    moved = kind(process_type=process_type).store()
    with pytest.raises(ValueError, match="could not load process class"):
        _ = moved.process_class
    frames = TrajectoryData()
    frames.set_trajectory(symbols=["Cu"], positions=np.zeros((2, 1, 3)))
    frames.base.links.add_incoming(moved, LinkType.CREATE, "trajectory")
    made = load_node(frames.store().uuid)
    assert made.creator.process_type == process_type
    assert outcome_of(made) is None


def test_every_function_is_registered_so_that_its_process_type_names_no_module():
    types = {
        member.process_class.build_process_type()
        for path in sorted(Path(aiida_crucible.__file__).parent.rglob("*calcfunctions.py"))
        for member in vars(_module(path)).values()
        if getattr(member, "is_process_function", False)
    }
    assert len(types) > 20
    assert {kind for kind in types if not kind.startswith("aiida.calculations:crucible.")} == set()

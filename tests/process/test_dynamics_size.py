"""A long run of many atoms: what it needs of the memory does not grow, and what AiiDA keeps of it is bounded."""

from __future__ import annotations

import pytest
from aiida.engine import run_get_node
from engine_jobs import HELPERS

from aiida_crucible.calculations.dynamics.calculation import DynamicsCalculation
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.references.published import pto_test

LIMIT = 200e6
"""Bytes."""


def size_of(node):
    """Return the bytes of all files of a node."""
    repository = node.base.repository
    return sum(
        len(repository.get_object_content(str(folder / name), mode="rb"))
        for folder, _, names in repository.walk()
        for name in names
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lengths", "interval"),
    [((500, 6_500), 2), pytest.param((5_000, 50_000), 10, marks=pytest.mark.long)],
    ids=["short", "long"],
)
def test_memory_is_flat_and_what_is_stored_is_bounded(code, lengths, interval):
    cell = pto_test.starting_cell("tetragonal")
    arguments = {"sites": cell.positions.tolist(), "cell": cell.cell.array.tolist(), "repeat": 5}
    settings = {"factory": "einstein_crystal:EinsteinCrystal", "arguments": arguments}
    inputs = {
        "code": code,
        "model": ModelData.get_or_create("ase", trust_code=True, settings=settings),
        "structure": from_atoms(cell * 5),
        "metadata": {"options": {"environment_variables": {"PYTHONPATH": str(HELPERS)}}},
    }
    peaks, stored = [], []
    for steps in lengths:
        parameters = {"steps": steps, "time_step": 2.0, "frame_interval": interval, "series_interval": 1}
        outputs, node = run_get_node(DynamicsCalculation, **inputs, parameters=parameters)
        assert node.is_finished_ok, node.exit_message
        assert outputs["results"]["outcome"] == "stable"
        peaks.append(outputs["results"]["peak_memory"])
        stored.append(sum(size_of(each) for each in (node, *node.base.links.get_outgoing().all_nodes())))
    print(f"peak memory of {lengths} steps: {peaks} MiB; stored: {[f'{n / 1e6:.1f}' for n in stored]} MB")
    # At least 3000 more frames (23 MB) and rows. The buffers are of a megabyte each.
    assert peaks[1] - peaks[0] < 8
    assert stored[1] < LIMIT
    assert outputs["remote_folder"].listdir("run")

"""``aiida-crucible status`` of a sweep whose jobs wait in a real SLURM's queue, and its word on how long it takes."""

from __future__ import annotations

import re
import time

import pytest
from aiida.orm import load_node
from ase.build import bulk

from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.workflows.sweep.workchain import TemperatureSweepWorkChain

TEMPERATURES = [300.0, 400.0, 500.0, 600.0]
SECONDS_A_STEP = 0.25
STEPS = 100
SECONDS_LEFT = re.compile(r"together: about (?:(\d+) min )?(\d+) s left")


@pytest.mark.long
@pytest.mark.parametrize("place", ["beside", "over_ssh"])
def test_queued_jobs_are_told_and_the_time_left_is_about_right(place, request, model, options, start, command, slurm):
    code = request.getfixturevalue(f"code_{place}")
    half = slurm.processors // 2  # two run, two wait
    chosen = options(seconds=SECONDS_A_STEP, resources={"num_machines": 1, "num_cores_per_mpiproc": half})
    builder = TemperatureSweepWorkChain.get_builder_from_protocol(
        code,
        model,
        from_atoms(bulk("Cu", cubic=True)),
        "fast",
        temperatures=TEMPERATURES,
        overrides={
            "parameters": {"supercell_matrix": [2, 2, 2]},
            "base": {"dynamics": {"parameters": {"steps": STEPS, "time_step": 2.0, "series_interval": 5}}},
        },
    )
    builder.base.dynamics.metadata.options = chosen
    builder.pop("relax", None)
    node = start(builder)
    seen, promises = set(), []
    deadline = time.monotonic() + 600
    while not node.is_terminated:
        assert time.monotonic() < deadline, seen
        said = command("aiida-crucible", "status", str(node.pk))
        rows = [line for line in said.splitlines() if "dynamics" in line]
        seen |= {word for line in rows for word in ("running", "queued", "to come", "finished") if word in line}
        if left := SECONDS_LEFT.search(said):
            promises.append((time.time(), 60 * int(left[1] or 0) + int(left[2])))
        time.sleep(2)
    ended = load_node(node.pk).mtime.timestamp()
    assert node.is_finished_ok, node.exit_message
    assert {"running", "queued"} <= seen
    # From the first word on, which is said while two of the four wait.
    moment, promised = promises[0]
    print(f"promised {promised} s, took {ended - moment:.0f} s")
    assert promised / 2 < ended - moment < promised * 2 + 20, promises

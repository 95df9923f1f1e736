"""The task ``evaluate``: energies, forces and stresses of many structures."""

from __future__ import annotations

from crucible_engine.tasks.facts import Task
from crucible_engine.wire.rules import Parameter

TASK = Task(
    name="evaluate",
    parameters={
        "batch_size": Parameter(
            int, None, "structures evaluated at once; by default the fastest for the family, device and size", minimum=1
        ),
        "stress": Parameter(bool, True, "compute stresses as well (periodic structures only)"),
    },
    changeable=("batch_size",),
    rank=0,
)

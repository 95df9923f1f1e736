"""The task ``verify``: the checks that a model has to pass before its numbers are believed."""

from __future__ import annotations

from crucible_engine.tasks.facts import Task
from crucible_engine.wire.rules import Parameter

TASK = Task(
    name="verify",
    parameters={
        "fingerprint": Parameter(bool, True, "compare with the stored fingerprint where named weights have one"),
        "seed": Parameter(int, 0, "seed of the random rotations, displacements and permutations", minimum=0),
    },
    needs_structures=False,
    rank=3,
)

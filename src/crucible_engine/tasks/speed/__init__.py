"""The task ``speed``: what a force call costs, in time and memory, against the number of atoms."""

from __future__ import annotations

from typing import Any

from crucible_engine.tasks.facts import Task
from crucible_engine.wire.rules import Parameter, ParameterError, normalise_entries

LARGEST_REPEAT = 1000


def _complete(values: dict[str, Any]) -> None:
    rule = Parameter(int, None, "", minimum=1, maximum=LARGEST_REPEAT)
    repeats = normalise_entries("speed", "repeats", rule, values["repeats"])
    if not repeats or sorted(set(repeats)) != repeats:
        raise ParameterError(
            f"parameter 'repeats' of speed is {repeats}: give whole numbers that grow, such as [1, 2, 3, 4]"
        )
    values["repeats"] = repeats


TASK = Task(
    name="speed",
    parameters={
        "repeats": Parameter(list, [1, 2, 3, 4], "n of the n x n x n cells that are timed, growing"),
        "steps": Parameter(int, 10, "force calls of each size that are timed, besides the first", minimum=3),
        "displacement": Parameter(
            float, 0.02, "standard deviation of a coordinate from one call to the next, Å", 0.0, 1.0, exclusive=True
        ),
        "stress": Parameter(bool, True, "ask for stresses, as runs at constant pressure do"),
        "largest_batch": Parameter(
            int, 8, "structures at once that are tried at most, doubled from 1; 0 tries none", minimum=0, maximum=4096
        ),
        "patience": Parameter(
            float, 120.0, "seconds that the calls of a size may take; a size that would take more is not tried",
            0.0, exclusive=True,
        ),
        "seed": Parameter(int, 0, "seed of the displacements", minimum=0),
    },
    complete=_complete,
    rank=4,
)  # fmt: skip
"""In results ``sizes``: by label of the structure what :mod:`crucible_engine.tasks.speed.run` says."""

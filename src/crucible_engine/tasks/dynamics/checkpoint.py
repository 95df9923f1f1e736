"""Checkpoints of a dynamics, checked before they are believed.

That one is whole and of this job, see :mod:`crucible_engine.job.checkpoints`, does not yet make sense of what it says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crucible_engine.job.checkpoints import Arrays
from crucible_engine.tasks.dynamics.crystal.watch import Finding
from crucible_engine.tasks.dynamics.output import read_result
from crucible_engine.tasks.dynamics.recorder import frames_path, series_path
from crucible_engine.tasks.dynamics.settings import Settings
from crucible_engine.tasks.dynamics.stream import frame_dtype, require_stream, series_dtype
from crucible_engine.wire.arrays import Layout, require_layout
from crucible_engine.wire.schema import (
    OUTCOMES_OF_DYNAMICS,
    SERIES_COLUMNS,
    Condition,
    EngineError,
)
from crucible_engine.wire.value_types import require_fields

Rows = tuple[int, int]

OF_RUNNING = ("replica", "step", "lost", "rows", "finding", "found_at", "start", "random")
"""What only a checkpoint in the middle of a replica has."""


@dataclass
class Scalars:
    """The scalars of a checkpoint, see :class:`crucible_engine.tasks.dynamics.run` and :meth:`Replica.state`."""

    done: dict[str, dict[str, Any]]
    rows_of_done: dict[str, Rows]
    threads: int | None = None
    replica: int = 0
    step: int = 0
    lost: bool = False
    rows: Rows = (0, 0)
    finding: Finding | None = None
    found_at: int | None = None
    start: dict[str, Any] | None = None
    random: dict[str, Any] = field(default_factory=dict)


def require_checkpoint(scalars: dict[str, Any], folder: Path, sizes: list[int], settings: Settings) -> None:
    """Check that a checkpoint is one of a job, and that the files which it says are complete are.

    :raises EngineError: ``INVALID_JOB``.
    """
    try:
        _require_scalars(scalars, len(sizes), settings.steps)
        for index in range(len(scalars["done"])):
            _require_done(folder, index, sizes[index], scalars["rows_of_done"][str(index)], settings)
    except (ValueError, OSError) as error:
        raise EngineError(
            Condition.INVALID_JOB,
            f"the checkpoint is none of this job's, {error}: start the run without it, or from a whole copy",
        ) from error


def _require_scalars(scalars: dict[str, Any], n_replicas: int, steps: int) -> None:
    require_fields(Scalars, scalars, "checkpoint")
    n_done = len(scalars["done"])
    numbers = range(n_done)
    if list(scalars["done"]) != [f"replica_{i}" for i in numbers] or n_done > n_replicas:
        raise ValueError(f"done are other replicas than the first of {n_replicas}")
    if set(scalars["rows_of_done"]) != {str(i) for i in numbers}:
        raise ValueError("rows_of_done are of other replicas than those that are done")
    if any(replica.get("outcome") not in OUTCOMES_OF_DYNAMICS for replica in scalars["done"].values()):
        raise ValueError("a replica that is done has no outcome")
    present = [name for name in OF_RUNNING if name in scalars]
    if present and (len(present) < len(OF_RUNNING) or scalars["replica"] != n_done or n_done == n_replicas):
        raise ValueError(f"it is not in the middle of replica {n_done}")
    if not 0 <= scalars.get("step", 0) <= steps or min(scalars.get("rows", (0, 0))) < 0:
        raise ValueError(f"step is not between 0 and {steps}, or rows are less than 0")
    if scalars.get("threads") is not None and scalars["threads"] < 1:
        raise ValueError("threads is less than 1")
    finding = scalars.get("finding")
    if finding is not None and finding["outcome"] not in OUTCOMES_OF_DYNAMICS:
        raise ValueError("finding has an unknown outcome")


def _require_done(folder: Path, index: int, n_atoms: int, rows: Rows, settings: Settings) -> None:
    """Check the files of a replica that is done."""
    result = read_result(folder, index)
    layouts = {name: Layout("f", (n_atoms, 3)) for name in ("final_positions", "final_velocities")}
    if any(array.dtype.kind != "f" for array in result.values()):
        raise ValueError(f"the result of replica {index} holds more than decimal numbers")
    require_layout(result, {**layouts, "final_cell": Layout("f", (3, 3))})
    require_stream(series_path(folder, index), series_dtype(SERIES_COLUMNS), rows[0])
    frames = frame_dtype(n_atoms, settings.frame_forces, settings.frame_velocities)
    require_stream(frames_path(folder, index), frames, rows[1])


def require_arrays(arrays: Arrays, own: Arrays, of_integrator: Arrays, names_of_integrator: set[str]) -> None:
    """Check that the arrays of a checkpoint are those that a replica would write.

    :param own: what the replica would write as it begins, besides what its integrator keeps.
    :param of_integrator: what its integrator keeps as it begins; some make a part of it at their first step only.
    :param names_of_integrator: of all that it may keep.
    :raises EngineError: ``INVALID_JOB``.
    """
    unknown = sorted(set(arrays) - set(own) - names_of_integrator)
    if unknown:
        raise not_of_this_job(f"it has the array {unknown[0]!r}")
    for name, array in of_integrator.items():
        if name not in arrays or arrays[name].shape != array.shape:
            raise not_of_this_job(f"{name} is missing or has another shape than {array.shape}")
    if any(array.dtype.kind not in "fiub" for array in arrays.values()):
        raise not_of_this_job("an array holds no numbers")
    try:
        require_layout(arrays, {name: Layout.of(array) for name, array in own.items()})
    except ValueError as error:
        raise not_of_this_job(str(error)) from error


def not_of_this_job(problem: str) -> EngineError:
    """Return the error of a checkpoint that another job would have written."""
    return EngineError(
        Condition.INVALID_JOB, f"the checkpoint is none of this job's, {problem}: start the run without it"
    )

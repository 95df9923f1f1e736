"""The arrays of a relaxation, from its journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from crucible_engine.job.context import Context
from crucible_engine.tasks.relax.journal import Batch, Contents, read_contents
from crucible_engine.wire.arrays import Member, write_arrays
from crucible_engine.wire.journal import read_record
from crucible_engine.wire.schema import ARRAYS_FILE, TRAJECTORIES_FILE

COLUMNS: dict[str, tuple[int, ...]] = {"cells": (3, 3), "energies": (), "stresses": (6,)}
"""Arrays with a row for each geometry, and the shape of a row; the others have one for each atom."""
OF_ATOMS = ("positions", "forces")


@dataclass(frozen=True)
class Shown:
    """Geometries of one structure that a file shows.

    :param index: of the structure.
    :param position: of their record in the journal.
    :param rows: which of the record's geometries.
    :param steps: the optimizer's step of each.
    """

    index: int
    position: int
    rows: list[int]
    steps: list[int]


def write_results(context: Context, structures: list[tuple[str, Atoms]], interval: int) -> None:
    """Write ``arrays.npz``, and ``trajectories.npz`` where it is wanted, from a complete journal.

    :param context: the job's surroundings.
    :param structures: the job's, with their labels.
    :param interval: steps between two frames of the trajectory; 0 for no trajectory.
    """
    journal = context.journal_path
    contents = read_contents(journal)
    write_arrays(context.folder / ARRAYS_FILE, _members(journal, _ends(contents), structures))
    if interval:
        frames = [shown for index in sorted(contents.batches) for shown in _frames(index, contents, interval)]
        steps = np.array([step for shown in frames for step in shown.steps], dtype=np.int64)
        members = {**_members(journal, frames, structures), "steps": Member(np.int64, steps.shape, [steps])}
        write_arrays(context.folder / TRAJECTORIES_FILE, members)


def _ends(contents: Contents) -> list[Shown]:
    return [
        Shown(index, position, [0], [contents.summaries[index]["steps"]])
        for index, position in sorted(contents.positions.items())
    ]


def _frames(index: int, contents: Contents, interval: int) -> Iterator[Shown]:
    """Yield every n-th step of a structure and the last."""
    batches: list[Batch] = contents.batches[index]
    last = batches[-1].stop - 1
    for batch in batches:
        numbered = enumerate(batch.steps)
        rows = [row for row, step in numbered if step % interval == 0 or batch.start + row == last]
        yield Shown(index, batch.position, rows, [batch.steps[row] for row in rows])


def _members(journal: Path, shown: list[Shown], structures: list[tuple[str, Atoms]]) -> dict[str, Member]:
    """Return the members for geometries, in the order in which they are given."""
    repeated = [structures[part.index] for part in shown for _ in part.rows]
    n_atoms = np.array([len(atoms) for _, atoms in repeated], dtype=np.int64)
    labels = np.array([label for label, _ in repeated])
    count, total = len(repeated), int(n_atoms.sum())
    return {
        "numbers": Member(np.int32, (total,), (atoms.numbers for _, atoms in repeated)),
        "masses": Member(np.float64, (total,), (atoms.get_masses() for _, atoms in repeated)),
        "pbc": Member(bool, (count, 3), (atoms.pbc[None] for _, atoms in repeated)),
        "n_atoms": Member(np.int64, (count,), [n_atoms]),
        "labels": Member(labels.dtype, (count,), [labels]),
        **{name: Member(np.float64, (count, *row), _chunks(journal, shown, name)) for name, row in COLUMNS.items()},
        **{name: Member(np.float64, (total, 3), _chunks(journal, shown, name)) for name in OF_ATOMS},
    }


def _chunks(journal: Path, shown: list[Shown], name: str) -> Iterator[NDArray[Any]]:
    for part in shown:
        array = read_record(journal, part.position).arrays[name]
        if name not in OF_ATOMS:
            yield array[part.rows]
        elif array.ndim == 2:
            yield array
        else:
            yield array[part.rows].reshape(-1, 3)

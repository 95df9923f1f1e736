"""What a relaxation writes on its way, and how a journal becomes a job's arrays or the point to go on from."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from crucible_engine.arrays_file import Member, write_arrays
from crucible_engine.context import Context
from crucible_engine.journal import JournalWriter, Record, read_journal
from crucible_engine.schema import ARRAYS_FILE, FRAME, GEOMETRY, RELAXED, TRAJECTORIES_FILE
from crucible_engine.tasks.relaxation import stress_of

GEOMETRY_STEPS = 10
GEOMETRY_SECONDS = 1.0
"""A geometry is written every so many steps, and whenever so many seconds have passed since the last."""


@dataclass(frozen=True)
class Unfinished:
    """The last geometry of a structure whose relaxation was interrupted.

    :param index: which structure.
    :param steps: optimizer steps that led there.
    :param last_frame: the last step that the trajectory has; -1 without any.
    :param positions: [n_atoms, 3], Å.
    :param cell: [3, 3], Å.
    """

    index: int
    steps: int
    last_frame: int
    positions: NDArray[np.float64]
    cell: NDArray[np.float64]


def read_state(journal: Path) -> tuple[list[dict[str, Any]], Unfinished | None]:
    """Return the summaries of the structures that are done, in order, and where the one after them is."""
    summaries: list[dict[str, Any]] = []
    unfinished: Unfinished | None = None
    _, records = read_journal(journal)
    for record in records:
        if record.kind == RELAXED:
            summaries.append({name: value for name, value in record.fields.items() if name != "index"})
            unfinished = None
            continue
        steps = record.fields["steps"]
        last_frame = steps if record.kind == FRAME else unfinished.last_frame if unfinished else -1
        unfinished = Unfinished(
            record.fields["index"], steps, last_frame, record.arrays["positions"], record.arrays["cells"][0]
        )
    return summaries, unfinished


class Recorder:
    """Writes one relaxation into the journal.

    :param context: the job's surroundings.
    :param journal: the job's journal.
    :param index: which structure it is.
    :param interval: steps between two frames of the trajectory; 0 for no trajectory.
    :param unfinished: where an earlier run of this structure stopped.
    """

    def __init__(
        self, context: Context, journal: JournalWriter, index: int, interval: int, unfinished: Unfinished | None
    ) -> None:
        self._context, self._journal, self._index, self._interval = context, journal, index, interval
        self._last_steps = unfinished.steps if unfinished else -1
        self._last_frame = unfinished.last_frame if unfinished else -1
        self._written_at = -math.inf

    def step(self, steps: int, atoms: Atoms) -> None:
        """Write a step, if it is time."""
        if self._interval and steps % self._interval == 0:
            self._frame(steps, atoms)
        due = steps % GEOMETRY_STEPS == 0 or time.monotonic() - self._written_at > GEOMETRY_SECONDS
        if due and steps > self._last_steps:
            self._append(GEOMETRY, {"steps": steps}, _geometry(atoms))
            self._last_steps = steps

    def end(self, steps: int, atoms: Atoms, summary: dict[str, Any]) -> None:
        """Write the end."""
        if self._interval:
            self._frame(steps, atoms)
        self._append(RELAXED, summary, {**_geometry(atoms), **_properties(atoms)})

    def _frame(self, steps: int, atoms: Atoms) -> None:
        if steps > self._last_frame:
            self._append(FRAME, {"steps": steps}, {**_geometry(atoms), **_properties(atoms)})
            self._last_frame = self._last_steps = steps

    def _append(self, kind: str, fields: dict[str, Any], arrays: dict[str, NDArray[np.float64]]) -> None:
        self._context.append(self._journal, Record(kind, {"index": self._index, **fields}, arrays))
        self._written_at = time.monotonic()


def _geometry(atoms: Atoms) -> dict[str, NDArray[np.float64]]:
    return {"positions": atoms.positions, "cells": atoms.cell.array[None]}


def _properties(atoms: Atoms) -> dict[str, NDArray[np.float64]]:
    return {
        "energies": np.array([atoms.get_potential_energy()], dtype=np.float64),
        "forces": np.asarray(atoms.get_forces(apply_constraint=False), dtype=np.float64),
        "stresses": stress_of(atoms)[None],
    }


def write_results(context: Context, structures: list[tuple[str, Atoms]], trajectories: bool) -> None:
    """Write ``arrays.npz``, and ``trajectories.npz`` where it is wanted, from a complete journal."""
    journal = context.journal_path
    write_arrays(context.folder / ARRAYS_FILE, _members(journal, RELAXED, list(range(len(structures))), structures))
    if trajectories:
        fields = [record.fields for record in _records(journal, FRAME)]
        indices = [frame["index"] for frame in fields]
        steps = np.array([frame["steps"] for frame in fields], dtype=np.int64)
        members = {**_members(journal, FRAME, indices, structures), "steps": Member(np.int64, steps.shape, [steps])}
        write_arrays(context.folder / TRAJECTORIES_FILE, members)


def _records(journal: Path, kind: str) -> Iterator[Record]:
    _, records = read_journal(journal)
    return (record for record in records if record.kind == kind)


def _chunks(journal: Path, kind: str, name: str) -> Iterator[NDArray[Any]]:
    return (record.arrays[name] for record in _records(journal, kind))


def _members(journal: Path, kind: str, indices: list[int], structures: list[tuple[str, Atoms]]) -> dict[str, Member]:
    """Return the members for the records of one kind, whose structures' indices are given in the records' order."""
    shown = [structures[index] for index in indices]
    n_atoms = np.array([len(atoms) for _, atoms in shown], dtype=np.int64)
    labels = np.array([label for label, _ in shown])
    count, total = len(shown), int(n_atoms.sum())
    shapes: dict[str, tuple[int, ...]] = {
        "positions": (total, 3),
        "cells": (count, 3, 3),
        "energies": (count,),
        "forces": (total, 3),
        "stresses": (count, 6),
    }
    return {
        "numbers": Member(np.int32, (total,), (atoms.numbers for _, atoms in shown)),
        "pbc": Member(bool, (count, 3), (atoms.pbc[None] for _, atoms in shown)),
        "n_atoms": Member(np.int64, (count,), [n_atoms]),
        "labels": Member(labels.dtype, (count,), [labels]),
        **{name: Member(np.float64, shape, _chunks(journal, kind, name)) for name, shape in shapes.items()},
    }

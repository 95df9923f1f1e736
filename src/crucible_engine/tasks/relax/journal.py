"""What a relaxation writes into its journal, and the arrays that follow from a complete one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from crucible_engine.families.calculators import stress_given
from crucible_engine.job.context import Context
from crucible_engine.tasks.relax.replay import Answer, stress_array
from crucible_engine.wire.arrays import Member, write_arrays
from crucible_engine.wire.journal import JournalWriter, Record, locate_records, read_record
from crucible_engine.wire.schema import ARRAYS_FILE, EVALUATED, RELAXED, RELAXED_MEMBER, TRAJECTORIES_FILE

BATCH, SECONDS = 10, 1.0
"""Evaluations are written when so many have come together, or when so much time has passed since the last."""

COLUMNS: dict[str, tuple[int, ...]] = {"cells": (3, 3), "energies": (), "stresses": (6,)}
"""Arrays with a row for each geometry, and the shape of a row; the others have one for each atom."""

OF_ATOMS = ("positions", "forces")


@dataclass(frozen=True)
class Batch:
    """Evaluations in a record.

    :param position: of the record in the journal.
    :param start: number of its first evaluation.
    :param steps: the optimizer's step of each that counts.
    """

    position: int
    start: int
    steps: tuple[int, ...]

    @property
    def stop(self) -> int:
        """Number of the evaluation after its last."""
        return self.start + len(self.steps)


@dataclass(frozen=True)
class Contents:
    """What a journal holds, by the index of the structure.

    :param positions: of the record of the end of each.
    :param summaries: the same one's summary.
    :param batches: its evaluations, in order.
    """

    positions: dict[int, int] = field(default_factory=dict)
    summaries: dict[int, dict[str, Any]] = field(default_factory=dict)
    batches: dict[int, list[Batch]] = field(default_factory=dict)

    def done(self, max_steps: int) -> set[int]:
        """Return the structures at which nothing is left to do with so many steps."""
        return {
            index
            for index, summary in self.summaries.items()
            if summary["outcome"] != "not-converged" or summary["steps"] >= max_steps
        }


def read_contents(journal: Path) -> Contents:
    """Return where in a journal things are."""
    contents = Contents()
    for position, record in locate_records(journal):
        fields = dict(record.fields)
        index = fields.pop("index")
        if record.kind == RELAXED_MEMBER:
            continue
        if record.kind == RELAXED:
            contents.positions[index], contents.summaries[index] = position, fields
        else:
            steps = tuple(record.arrays["steps"].tolist())
            _append(contents.batches.setdefault(index, []), Batch(position, fields["start"], steps))
    return contents


def _append(batches: list[Batch], batch: Batch) -> None:
    """Append a batch; what was recorded before of its evaluations and of later ones is not used any more."""
    while batches and batches[-1].start >= batch.start:
        batches.pop()
    if batches and batches[-1].stop > batch.start:
        kept = batch.start - batches[-1].start
        batches[-1] = replace(batches[-1], steps=batches[-1].steps[:kept])
    batches.append(batch)


def read_answers(journal: Path, batches: list[Batch], count: int) -> Iterator[Answer]:
    """Yield the first so many recorded evaluations of a structure; memory holds one batch at a time."""
    for batch in batches:
        record = read_record(journal, batch.position)
        arrays = record.arrays
        for row in range(min(len(batch.steps), count - batch.start)):
            yield Answer(
                arrays["positions"][row],
                arrays["cells"][row],
                float(arrays["energies"][row]),
                arrays["forces"][row],
                arrays["stresses"][row] if record.fields["stress"] else None,
            )


class Recorder:
    """Writes one relaxation into the journal.

    :param start: number of the first evaluation that is not recorded yet.
    :param remember: whether evaluations are of use in whole batches only, see
        :mod:`crucible_engine.tasks.relax.replay`.
    """

    def __init__(self, context: Context, journal: JournalWriter, index: int, start: int, remember: bool) -> None:
        self._context, self._journal, self._index = context, journal, index
        self._start, self._remember = start, remember
        self._answers: list[Answer] = []
        self._steps: list[int] = []
        self._written_at = time.monotonic()

    def add(self, answer: Answer) -> None:
        """Take a new evaluation."""
        self._answers.append(answer)

    def step(self, number: int) -> None:
        """Say to which of the optimizer's steps the new evaluations belong, and write them if it is time."""
        self._steps += [number] * (len(self._answers) - len(self._steps))
        is_late = not self._remember and time.monotonic() - self._written_at > SECONDS
        if len(self._answers) >= BATCH or is_late:
            self._write()

    def end(self, number: int, atoms: Atoms, summary: dict[str, Any]) -> None:
        """Write the end."""
        self.step(number)
        self._write()
        arrays = {"positions": atoms.positions, "cells": atoms.cell.array[None], **_properties(atoms)}
        self._context.append(self._journal, Record(RELAXED, {"index": self._index, **summary}, arrays))

    def stop(self) -> None:
        """Write what an interrupted run has evaluated; why it was interrupted is more important than a failure to."""
        if not self._remember:
            with contextlib.suppress(OSError):
                self._write()

    def _write(self) -> None:
        count = len(self._steps)
        answers = self._answers[:count]
        if not answers:
            return
        names = ("positions", "cells", "energies", "forces", "stresses")
        rows = ((one.positions, one.cell, one.energy, one.forces, stress_array(one)) for one in answers)
        arrays = dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True))
        arrays = {"steps": np.array(self._steps, dtype=np.int64), **arrays}
        fields = {"index": self._index, "start": self._start, "stress": answers[0].stress is not None}
        self._context.append(self._journal, Record(EVALUATED, fields, arrays))
        self._start += count
        self._answers, self._steps = self._answers[count:], []
        self._written_at = time.monotonic()


def _properties(atoms: Atoms) -> dict[str, NDArray[np.float64]]:
    return {
        "energies": np.array([atoms.get_potential_energy()], dtype=np.float64),
        "forces": np.asarray(atoms.get_forces(apply_constraint=False), dtype=np.float64),
        "stresses": stress_given(atoms)[None],
    }


@dataclass(frozen=True)
class Shown:
    """Geometries of one structure that a file shows.

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

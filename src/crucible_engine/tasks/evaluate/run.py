"""The task ``evaluate``: energies, forces and stresses of structures as they are.

Summary: ``n_structures``, ``n_atoms`` (of all together), ``n_resumed`` (taken over from an earlier, unfinished run),
``batch_size`` (largest batch of this run; 0 where nothing was left to do), ``n_non_finite`` and ``non_finite`` (labels
of the first :data:`LISTED` structures for which the model gave NaN or infinity; the arrays hold what it gave).

Arrays: ``energies`` float64 [n_structures] (eV), ``forces`` float64 [n_atoms, 3] (eV/Å, all structures one after the
other), ``n_atoms`` int64 [n_structures], ``stresses`` float64 [n_structures, 6] (eV/Å³, Voigt; absent unless stress was
asked for, NaN for structures that are not periodic in three directions). Of a model with members also what each of them
says, of which these are the means: ``ensemble_energies`` [n_structures, n_members], ``ensemble_forces`` [n_atoms,
n_members, 3] and ``ensemble_stresses`` [n_structures, n_members, 6].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crucible_engine.families.base import Evaluation, Model, is_periodic
from crucible_engine.families.batching import evaluate_structures
from crucible_engine.job.context import Context, TaskResult
from crucible_engine.wire.arrays import Member, write_arrays
from crucible_engine.wire.journal import Record, read_journal
from crucible_engine.wire.records import evaluation_check, property_layouts
from crucible_engine.wire.schema import ARRAYS_FILE, EVALUATIONS, STRUCTURES_FILE, Job
from crucible_engine.wire.structures import read_sizes, read_structures

LISTED = 20
"""So many structures with non-finite numbers are named in the summary."""


def run(job: Job, model: Model, context: Context) -> TaskResult:
    """Evaluate the structures of a job, from where an earlier run of it was stopped."""
    stress = bool(job.parameters["stress"])
    resumed, batch_size = _evaluate_rest(job, model, context, stress)
    survey = context.survey
    context.finish()
    write_arrays(context.folder / ARRAYS_FILE, _arrays(context, stress, model.n_members))
    broken, labels = _find_non_finite(context, stress)
    summary = {
        "n_structures": survey.n_structures,
        "n_atoms": survey.n_atoms,
        "n_resumed": resumed,
        "batch_size": batch_size,
        "n_non_finite": broken,
        "non_finite": labels,
    }
    return TaskResult("non-finite" if broken else "finite", summary)


def _evaluate_rest(job: Job, model: Model, context: Context, stress: bool) -> tuple[int, int]:
    """Bring the journal to its end; return how many structures it had and the size of the largest new batch."""
    sizes = read_sizes(context.folder / STRUCTURES_FILE)
    journal = context.open_journal(evaluation_check(sizes, stress, model.n_members))
    resumed = done = sum(len(record.arrays["energies"]) for record in read_journal(context.journal_path)[1])
    largest = 0
    progress = context.progress(job, context.survey.n_structures, done)
    structures = read_structures(context.folder / STRUCTURES_FILE, start=done)
    try:
        for batch in evaluate_structures(model, structures, job.parameters["batch_size"], stress):
            context.append(journal, _record(done, batch, stress))
            done += len(batch)
            largest = max(largest, len(batch))
            progress.report(done)
            context.between_steps()
    finally:
        with context.interruption.deferred():
            journal.close()
    return resumed, largest


def _record(start: int, batch: Sequence[Evaluation], stress: bool) -> Record:
    arrays: dict[str, NDArray[Any]] = {
        "energies": np.array([evaluation.energy for evaluation in batch], dtype=np.float64),
        "forces": np.concatenate([evaluation.forces for evaluation in batch]).astype(np.float64, copy=False),
        "n_atoms": np.array([len(evaluation.forces) for evaluation in batch], dtype=np.int64),
    }
    if stress:
        arrays["stresses"] = np.array([evaluation.stress for evaluation in batch], dtype=np.float64)
    ensembles = [evaluation.ensemble for evaluation in batch if evaluation.ensemble is not None]
    if ensembles:
        arrays["ensemble_energies"] = np.array([ensemble.energies for ensemble in ensembles])
        arrays["ensemble_forces"] = np.concatenate([ensemble.forces.swapaxes(0, 1) for ensemble in ensembles])
        if stress:
            arrays["ensemble_stresses"] = np.array([ensemble.stresses for ensemble in ensembles])
    return Record(EVALUATIONS, {"start": start}, arrays)


def _chunks(journal: Path, name: str) -> Iterator[NDArray[Any]]:
    _, records = read_journal(journal)
    for record in records:
        yield record.arrays[name]


def _arrays(context: Context, stress: bool, n_members: int) -> dict[str, Member]:
    n_structures, n_atoms = context.survey.n_structures, context.survey.n_atoms
    layouts = property_layouts(n_structures, n_atoms, stress, n_members)
    members = {"n_atoms": Member(np.int64, (n_structures,), _chunks(context.journal_path, "n_atoms"))}
    for name, layout in layouts.items():
        shape = tuple(int(length) for length in layout.shape if length is not None)
        members[name] = Member(np.float64, shape, _chunks(context.journal_path, name))
    return members


def _find_non_finite(context: Context, stress: bool) -> tuple[int, list[str]]:
    """Return for how many structures a number is not finite, and the labels of the first of them."""
    count, labels = 0, []
    evaluations = _evaluations(context.journal_path)
    for label, atoms in read_structures(context.folder / STRUCTURES_FILE):
        energy, forces, stresses = next(evaluations)
        finite = bool(np.isfinite(energy) and np.isfinite(forces).all())
        if stress and is_periodic(atoms):
            finite = finite and bool(np.isfinite(stresses).all())
        if not finite:
            count += 1
            labels.extend([label] if count <= LISTED else [])
    return count, labels


def _evaluations(journal: Path) -> Iterator[tuple[float, NDArray[Any], NDArray[Any]]]:
    """Yield energy, forces and stress (empty where there is none) of one structure after the other."""
    _, records = read_journal(journal)
    for record in records:
        arrays = record.arrays
        ends = np.cumsum(arrays["n_atoms"])
        stresses = arrays.get("stresses", np.empty((len(ends), 0)))
        for energy, end, n_atoms, stress in zip(arrays["energies"], ends, arrays["n_atoms"], stresses, strict=True):
            yield float(energy), arrays["forces"][end - n_atoms : end], stress

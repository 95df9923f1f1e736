"""The task ``train``: labelled structures and a model in, weights and learning curves out.

The model's family trains, through its package's own trainer, see :mod:`crucible_engine.training.contract`. The whole
state of a training is in a checkpoint (folder :data:`crucible_engine.wire.schema.RUN_FOLDER`), written after each
epoch, within one every ``checkpoint_seconds``, before the walltime and on the signals of
:mod:`crucible_engine.job.process`. A job that finds one of its own goes on from it.

The weights that are kept are those of the epoch with the smallest loss of the validation.

Summary: ``method``, ``settings`` (all of them, with the family's defaults), ``n_weights`` (numbers that were trained),
``frames`` (structures on each side), ``epochs_done``, ``steps``, ``steps_per_epoch``, ``best_epoch``, ``resumed_from``
(``epoch`` and ``step`` that an earlier job had done; ``null`` for a fresh start), ``seconds`` (of all epochs),
``errors`` (of the trained model, see :mod:`crucible_engine.tasks.train.errors`), ``weights`` (sha256 of the file),
``numbers`` (that of the numbers in it, by name), ``diverged`` (``epoch`` and ``step`` at which the loss was no finite
number; else ``null``), ``warnings``. An unfinished job has ``checkpoint``: ``epoch`` and ``step``.

``arrays.npz``: the curves, arrays of :data:`crucible_engine.wire.training.CURVES` [n_epochs]; and where there are
weights what they answer for all structures: ``energies`` [n], ``forces`` [n_atoms, 3], ``n_atoms`` [n], ``stresses``
[n, 6]. ``trained.model``: the weights; none of a training that diverged in its first epoch.
"""

from __future__ import annotations

import importlib
import json
import math
import time
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from crucible_engine.families.base import Model
from crucible_engine.families.batching import evaluate_structures
from crucible_engine.families.load import load_model
from crucible_engine.families.registry import find_family
from crucible_engine.families.weights import digest
from crucible_engine.job.checkpoints import Checkpoints
from crucible_engine.job.context import Context, TaskResult
from crucible_engine.tasks.train.errors import measure_errors
from crucible_engine.tasks.train.settings import settings_for
from crucible_engine.training.contract import Control, DivergedError, Trainer, TrainingData, TrainingSettings
from crucible_engine.wire.arrays import Member, write_arrays, written_whole
from crucible_engine.wire.labels import Labels, read_labels
from crucible_engine.wire.rules import ParameterError
from crucible_engine.wire.schema import (
    ARRAYS_FILE,
    LABELS_FILE,
    REACHED_FILE,
    RUN_FOLDER,
    STRUCTURES_FILE,
    TRAINED_FILE,
    Condition,
    EngineError,
    Job,
    ModelReference,
)
from crucible_engine.wire.structures import read_structures
from crucible_engine.wire.training import CURVES, DIVERGED, SIDES, STOPPED_EARLY, TRAINED

LEAST_MARGIN, LARGEST_MARGIN = 5.0, 60.0
"""Seconds before the walltime at which a training stops by itself: a twentieth of it, within these, and three steps."""

MOST_POINTS = 16
"""Of the curve in a line of progress."""


class _Stopped(BaseException):
    """The job is to stop: raised through the package's loop once the checkpoint is written."""


def run(job: Job, model: Model, context: Context) -> TaskResult:
    """Train a model on the structures of a job, from where an earlier run of it was stopped.

    :raises EngineError: ``INVALID_JOB``, if the labels or a checkpoint are of other work or damaged, or the family
        cannot train so; ``INTERRUPTED``, before the walltime.
    """
    return _Run(job, model, context).run()


class _Run(Control):
    """A job on its way."""

    def __init__(self, job: Job, model: Model, context: Context) -> None:
        self._job, self._context = job, context
        self._structures = [atoms for _, atoms in read_structures(context.folder / STRUCTURES_FILE)]
        survey = context.survey
        self._labels = read_labels(context.folder / LABELS_FILE, survey.n_structures, survey.n_atoms)
        self._settings = _settings(job)
        folder = context.folder / RUN_FOLDER
        folder.mkdir(exist_ok=True)
        self._reached_path = folder / REACHED_FILE
        self._checkpoints = Checkpoints(folder, context.identity)
        found = self._checkpoints.read()
        self._threads_before: int | None = found[0].get("threads") if found else None
        context.threads.fix(self._threads_before)
        family = importlib.import_module(f"{find_family(job.reference.family).folder}.train")
        self._trainer: Trainer = family.trainer(model, _data(self._structures, self._labels), self._settings)
        self._resumed = None
        if found is not None:
            self._restore(*found)
            self._resumed = self._reached()
        self._progress = context.progress(job, self._total, self._trainer.step)
        self._written = time.monotonic()
        self._before, self._slowest = self._written, 0.0
        self._diverged: dict[str, int] | None = None

    @property
    def _total(self) -> int:
        return self._settings.epochs * self._trainer.steps_per_epoch

    def _restore(self, scalars: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        try:
            self._trainer.restore(scalars["training"], arrays)
        except (KeyError, ValueError) as error:
            raise EngineError(
                Condition.INVALID_JOB,
                f"the checkpoint is none of this job's, {error}: start the training without it, or from a whole copy",
            ) from error

    def run(self) -> TaskResult:
        outcome = TRAINED
        try:
            # A signal is raised once the checkpoint is written: nothing is cut in the middle of a step.
            with self._context.interruption.deferred():
                outcome = self._train()
            predicted = self._predictions() if self._trainer.best_epoch is not None else {}
        except BaseException:
            self._context.unfinished.update(self._summary(), checkpoint=self._reached())
            raise
        self._context.finish()
        self._write_arrays(predicted)
        errors = {}
        if predicted:
            numbers = np.concatenate([atoms.numbers for atoms in self._structures])
            errors = measure_errors(self._labels, predicted, numbers, predicted["n_atoms"])
        path = self._context.folder / TRAINED_FILE
        weights = digest(path) if path.exists() else None
        return TaskResult(outcome, {**self._summary(), "errors": errors, "weights": weights})

    def _train(self) -> str:
        try:
            is_enough = self._trainer.run(self)
        except DivergedError as error:
            self._diverged = {"epoch": error.epoch, "step": error.step}
            return DIVERGED
        except _Stopped:
            self._context.raise_if_out_of_time(self._margin())
            return TRAINED  # a signal, which the caller's block raises
        return STOPPED_EARLY if is_enough else TRAINED

    def after_step(self, trainer: Trainer, loss: float) -> None:
        """Write down how far it is, and stop where the job has to."""
        now = time.monotonic()
        self._slowest, self._before = max(self._slowest, now - self._before), now
        if self._context.must_stop(self._margin()):
            self._write_checkpoint()
            raise _Stopped
        if now - self._written > self._job.parameters["checkpoint_seconds"]:
            self._write_checkpoint()
        if self._progress.is_due:
            self._report(loss)

    def after_epoch(self, trainer: Trainer) -> None:
        """Keep the state, and stop where the job has to."""
        self._write_checkpoint()
        self._before = time.monotonic()
        self._report(trainer.history[-1]["training_loss"])
        if trainer.epoch < self._settings.epochs and self._context.must_stop(self._margin()):
            raise _Stopped

    def _report(self, loss: float) -> None:
        history = self._trainer.history
        every = math.ceil(len(history) / MOST_POINTS) or 1
        self._progress.report(
            self._trainer.step,
            epoch=self._trainer.epoch,
            epochs=self._settings.epochs,
            loss=_short(loss),
            validation_loss=_short(history[-1]["validation_loss"]) if history else None,
            force_error=_short(history[-1]["validation_force_error"]) if history else None,
            curve=[_short(row["validation_loss"]) for row in history[::-1][::every][::-1]],
        )

    def _write_checkpoint(self) -> None:
        scalars, arrays = self._trainer.state()
        threads = self._threads_before or self._context.threads.count
        self._checkpoints.write({"training": scalars, "threads": threads}, arrays)
        with written_whole(self._reached_path) as stream:
            stream.write(json.dumps(self._reached()).encode())
        self._written = time.monotonic()

    def _reached(self) -> dict[str, int]:
        return {"epoch": self._trainer.epoch, "step": self._trainer.step}

    def _margin(self) -> float:
        margin = min(max((self._context.walltime or 0.0) / 20, LEAST_MARGIN), LARGEST_MARGIN)
        return margin + 3 * self._slowest

    def _predictions(self) -> dict[str, NDArray[Any]]:
        """Write the weights, read them as any job would, and return what they answer."""
        path = self._context.folder / TRAINED_FILE
        with self._context.interruption.deferred():
            self._trainer.write_weights(path)
        reference: ModelReference = self._job.reference
        # The file was written a moment before, by this process.
        own = replace(reference, name=None, checkpoint=str(path), sha256=None, trust_pickle=True)
        model = load_model(own, self._job.device)
        labelled = [(f"frame {index}", atoms) for index, atoms in enumerate(self._structures)]
        answers = []
        for batch in evaluate_structures(model, iter(labelled), None, True):
            answers += batch
            self._context.between_steps()
        return {
            "energies": np.array([answer.energy for answer in answers]),
            "forces": np.concatenate([answer.forces for answer in answers]),
            "n_atoms": np.array([len(answer.forces) for answer in answers], dtype=np.int64),
            "stresses": np.array([answer.stress for answer in answers]),
        }

    def _write_arrays(self, predicted: dict[str, NDArray[Any]]) -> None:
        history = self._trainer.history
        curves = {name: np.array([row[name] for row in history], dtype=np.float64) for name in CURVES}
        arrays = {**curves, **predicted}
        members = {name: Member(array.dtype, array.shape, [array]) for name, array in arrays.items()}
        write_arrays(self._context.folder / ARRAYS_FILE, members)

    def _summary(self) -> dict[str, Any]:
        trainer, history = self._trainer, self._trainer.history
        before, now = self._threads_before, self._context.threads.count
        warnings = []
        if before not in (None, now):
            warnings.append(
                f"begun with {before} CPU threads and continued with {now}: the last bits of sums, and so weights, "
                "depend on that"
            )
        return {
            "method": self._settings.method,
            "settings": asdict(self._settings),
            "n_weights": trainer.n_weights,
            "frames": {side: len(self._labels.on(side)) for side in SIDES},
            "epochs_done": trainer.epoch,
            "steps": trainer.step,
            "steps_per_epoch": trainer.steps_per_epoch,
            "best_epoch": trainer.best_epoch,
            "numbers": trainer.digest(),
            "resumed_from": self._resumed,
            "seconds": round(sum(row["seconds"] for row in history), 3),
            "diverged": self._diverged,
            "warnings": warnings,
        }


def _settings(job: Job) -> TrainingSettings:
    try:
        return settings_for(find_family(job.reference.family), job.parameters)
    except ParameterError as error:
        raise EngineError(Condition.INVALID_JOB, str(error)) from error


def _data(structures: list[Atoms], labels: Labels) -> TrainingData:
    ends = np.cumsum([len(atoms) for atoms in structures])
    return TrainingData(
        structures,
        labels.energies,
        np.split(labels.forces, ends[:-1]),
        labels.stresses,
        labels.on(SIDES[0]),
        labels.on(SIDES[1]),
    )


def _short(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None

"""Trainings of one family in its own environment, all in one process, which prints what came of them as JSON.

``python training_runs.py FAMILY NAME|FILE FOLDER FORMULA LEARNING_RATE``
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from engine_jobs import read_arrays, run_here
from training_jobs import salt, spring_labels, write_training

from crucible_engine.families.load import load_model
from crucible_engine.families.registry import FAMILIES
from crucible_engine.job import checkpoints
from crucible_engine.tasks.train import run as task
from crucible_engine.wire.labels import Labels
from crucible_engine.wire.schema import RUN_FOLDER, TRAINED_FILE, ModelReference
from crucible_engine.wire.training import CURVES

FRAMES = salt(11, formula=sys.argv[4])
LABELS = spring_labels(FRAMES)
PARAMETERS = {"epochs": 3, "batch_size": 3, "learning_rate": float(sys.argv[5])}
STOPS = (1, 4, 5, 8)
"""Steps behind which the job is told to stop; three make an epoch."""


def trained(folder: Path, model: ModelReference, labels: Labels | None = None, **changes: Any) -> dict[str, Any]:
    """Return what a training has left."""
    write_training(folder, FRAMES, labels or LABELS, model, **{**PARAMETERS, **changes})
    return said_of(folder, run_here(folder))


def said_of(folder: Path, results: dict[str, Any]) -> dict[str, Any]:
    """Return condition, outcome, summary, digest of the weights and curves."""
    found = {name: results[name] for name in ("condition", "message", "outcome", "summary")}
    if results["condition"] == "finished":
        arrays = read_arrays(folder)
        found["curves"] = {name: arrays[name].tolist() for name in CURVES if name != "seconds" and name in arrays}
        found["has_weights"] = (folder / TRAINED_FILE).exists()
    return found


def stopped(folder: Path, model: ModelReference, step: int, number: int = signal.SIGTERM, **changes: Any) -> list[Any]:
    """Return what the jobs have left of which the first gets a signal behind a step, and the next goes on."""
    original: Callable[..., None] = task._Run.after_step

    def after_step(self: Any, trainer: Any, loss: float) -> None:
        if trainer.step == step:
            os.kill(os.getpid(), number)
        original(self, trainer, loss)

    task._Run.after_step = after_step  # type: ignore[method-assign]
    try:
        first = trained(folder, model, **changes)
    finally:
        task._Run.after_step = original  # type: ignore[method-assign]
    return [first, said_of(folder, run_here(folder))]


def on_a_full_disk(folder: Path, model: ModelReference, write: int) -> list[Any]:
    """Return what the jobs have left of which the first finds the disk full in its so-many-th checkpoint."""
    original, count = checkpoints.np.savez, 0

    def savez(stream: Any, **arrays: Any) -> None:
        nonlocal count
        count += 1
        if count == write:
            stream.write(bytes(1000))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(stream, **arrays)

    write_training(folder, FRAMES, LABELS, model, **PARAMETERS)
    with mock.patch.object(checkpoints.np, "savez", savez):
        first = said_of(folder, run_here(folder))
    kept = sorted(path.name for path in (folder / RUN_FOLDER).iterdir())
    return [{**first, "kept": kept}, said_of(folder, run_here(folder))]


def without_stress(which: slice) -> Labels:
    """Return the labels, some of them without a stress."""
    stresses = LABELS.stresses.copy()
    stresses[which] = np.nan
    return Labels(LABELS.energies, LABELS.forces, stresses, LABELS.sides)


def main() -> None:
    """Run all of them."""
    global LABELS  # noqa: PLW0603
    family, name, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    model = ModelReference(family, name)
    if Path(name).is_file():
        model = ModelReference(family, checkpoint=name, trust_pickle=True)
    importlib.import_module(f"{FAMILIES[family].folder}.train")  # as a job does before it computes anything
    own = load_model(model, "cpu").evaluate_batch(FRAMES)
    # Labels come with the zero of the model.
    LABELS = spring_labels(FRAMES, zero=float(np.mean([each.energy for each in own])) / 2)
    found: dict[str, Any] = {name: trained(folder / name, model) for name in ("whole", "again")}
    found["stopped"] = [stopped(folder / f"stopped-{step}", model, step) for step in STOPS]
    found["full disk"] = on_a_full_disk(folder / "full-disk", model, 2)
    averaged = {"ema": 0.9, "patience": 2}
    found["averaged"] = trained(folder / "averaged", model, **averaged)
    found["averaged, stopped"] = stopped(folder / "averaged-stopped", model, 5, **averaged)
    found["frozen"] = trained(folder / "frozen", model, method="frozen")
    found["scratch"] = trained(folder / "scratch", model, method="scratch", epochs=4, learning_rate=1e-3)
    if "huber" in FAMILIES[family].training.losses:
        found["huber"] = trained(folder / "huber", model, loss="huber")
    found["another seed"] = trained(folder / "seed", model, seed=1)
    found["no stress"] = trained(folder / "no-stress", model, without_stress(slice(None)))
    found["few stresses"] = trained(folder / "few-stresses", model, without_stress(slice(2, None)))
    broken = Labels(LABELS.energies * 1e30, LABELS.forces, LABELS.stresses, LABELS.sides)
    found["diverged"] = trained(folder / "diverged", model, broken)
    found["wild"] = trained(folder / "wild", model, learning_rate=10.0, epochs=6)
    with (folder / "found.json").open("w") as stream:
        json.dump(found, stream)


if __name__ == "__main__":
    main()

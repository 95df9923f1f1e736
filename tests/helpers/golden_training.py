"""What is said of a dataset and of a training, for the golden numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from labelled_frames import frames_of
from rounding_noise import disturbed
from training_jobs import salt

from aiida_crucible.analysis.datasets.energy_shifts import DISTRIBUTED, fit_shift
from aiida_crucible.analysis.datasets.examination import describe_sides, examine, find_duplicates
from aiida_crucible.analysis.datasets.frames import LabelledFrames
from aiida_crucible.analysis.datasets.settings import validate_split
from aiida_crucible.analysis.datasets.splits import blocks_of, split_frames
from aiida_crucible.analysis.datasets.training_summary import summarise
from aiida_crucible.analysis.datasets.units import suspected_units
from crucible_engine.tasks.train.errors import measure_errors
from crucible_engine.wire.labels import Labels


def salts() -> LabelledFrames:
    """Return frames of rock salt, one of them twice, one that stands out."""
    atoms = salt(14)
    for each in atoms:
        each.positions = disturbed(each.positions)
    frames = frames_of([*atoms, atoms[3].copy()], energies=-7.0 + 0.1 * np.random.default_rng(4).normal(size=15))
    frames.forces[4] *= 1e4
    return frames


def divided() -> dict[str, Any]:
    """Return what is said of a dataset, and on which sides its frames are."""
    frames, settings = salts(), validate_split({"seed": 1, "validation": 0.2, "test": 0.2})
    blocks = blocks_of(frames, settings, find_duplicates(frames))
    sides = split_frames(frames, blocks, [""], settings)
    return {"held": examine(frames, [""]), "sides": sides, "said": describe_sides(sides, blocks)}


def trained() -> dict[str, Any]:
    """Return the shift of a dataset, the units that it seems to be in, and what a training of it brought."""
    frames = salts()
    sides = np.array([0] * 10 + [1] * 3 + [2] * 2)
    answers = {"energies": frames.energies + 8.0, "forces": 0.9 * frames.forces, "stresses": -1.1 * frames.stresses}
    shift = fit_shift(frames, answers["energies"], sides == 0, DISTRIBUTED)
    labels = Labels(frames.energies - shift.energies, frames.forces, frames.stresses, sides)
    before = measure_errors(labels, answers, frames.numbers, frames.n_atoms)
    after = measure_errors(labels, {**answers, "stresses": 0.9 * frames.stresses}, frames.numbers, frames.n_atoms)
    told = {"errors": after, "epochs_done": 3, "best_epoch": 2, "warnings": []}
    report = {"energy_shift": shift.report, "theory": "PBEsol", "model_theory": "PBE+U", "elements": ["Na", "Cl"]}
    return {
        "shift": shift.report,
        "units": suspected_units(frames, answers),
        "summary": summarise({"outcome": "trained", "summary": told}, before, report),
    }

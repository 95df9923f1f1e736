"""Small labelled sets, and jobs that train on them, as a user would write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk

from crucible_engine.wire.labels import Labels, write_labels
from crucible_engine.wire.schema import JOB_FILE, LABELS_FILE, STRUCTURES_FILE, Job, ModelReference
from crucible_engine.wire.structures import write_structures

CHGNET = ModelReference("chgnet", "0.3.0")


def salt(count: int, seed: int = 0, formula: str = "NaCl") -> list[Atoms]:
    """Return cells of two atoms of rock salt, or of others in its place, rattled and strained."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(count):
        atoms = bulk(formula, "rocksalt", a=5.64)
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(0, 0.01, (3, 3))), scale_atoms=True)
        atoms.positions += rng.normal(0, 0.08, atoms.positions.shape)
        frames.append(atoms)
    return frames


def spring_labels(frames: list[Atoms], n_validation: int = 2, n_test: int = 1, zero: float = -3.4) -> Labels:
    """Return labels of springs between the ions and the middle of their neighbours, and of the volume.

    :param zero: eV an atom.
    """
    energies, forces, stresses = [], [], []
    for atoms in frames:
        scaled = atoms.get_scaled_positions(wrap=False)
        away = (scaled[1] - scaled[0] - 0.5) @ atoms.cell.array
        away -= np.round(away @ np.linalg.inv(atoms.cell.array)) @ atoms.cell.array
        swelling = atoms.get_volume() / (5.64**3 / 4) - 1
        energies.append(2 * zero + 1.5 * away @ away + 5.0 * swelling**2)
        forces.append([3.0 * away, -3.0 * away])
        stresses.append([10.0 * swelling / (5.64**3 / 4)] * 3 + [0.0] * 3)
    sides = np.zeros(len(frames), dtype=np.int64)
    if n_test:
        sides[-n_test:] = 2
    sides[len(frames) - n_test - n_validation : len(frames) - n_test] = 1
    return Labels(np.array(energies), np.concatenate(forces), np.array(stresses), sides)


def write_training(
    folder: Path,
    frames: list[Atoms],
    labels: Labels,
    model: ModelReference = CHGNET,
    threads: int | None = 1,
    walltime: float | None = None,
    **parameters: Any,
) -> Path:
    """Write a job's folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_structures(folder / STRUCTURES_FILE, frames, [f"frame {index}" for index in range(len(frames))])
    write_labels(folder / LABELS_FILE, labels)
    job = Job("train", model, parameters, device="cpu", threads=threads, walltime=walltime)
    (folder / JOB_FILE).write_text(json.dumps(job.to_dict()))
    return folder

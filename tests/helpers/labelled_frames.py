"""Labelled frames as columns, made on the spot."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from training_jobs import salt, spring_labels

from aiida_crucible.analysis.datasets.frames import LabelledFrames


def frames_of(atoms: list[Atoms], seed: int = 0, **changes: Any) -> LabelledFrames:
    """Return frames with labels out of the blue, one file, one source."""
    rng = np.random.default_rng(seed)
    sizes = np.array([len(each) for each in atoms], dtype=np.int64)
    n, total = len(atoms), int(sizes.sum())
    columns: dict[str, Any] = {
        "numbers": np.concatenate([each.numbers for each in atoms]).astype(np.int64),
        "positions": np.concatenate([each.positions for each in atoms]),
        "forces": rng.normal(size=(total, 3)),
        "n_atoms": sizes,
        "cells": np.array([each.cell.array for each in atoms]),
        "pbc": np.array([each.pbc for each in atoms]),
        "energies": rng.normal(size=n),
        "stresses": 0.01 * rng.normal(size=(n, 6)),
        "files": np.zeros(n, dtype=np.int64),
        "places": np.arange(n),
        "sources": np.zeros(n, dtype=np.int64),
        "temperatures": np.full(n, 300.0),
    }
    return LabelledFrames(**{**columns, **changes})


def labelled_salt(count: int, **changes: Any) -> list[Atoms]:
    """Return cells of rock salt with labels of springs, as a file has them.

    :param changes: ``energies``, ``forces`` or ``stresses``: functions of what they would be.
    """
    frames = salt(count)
    labels = spring_labels(frames)
    for index, atoms in enumerate(frames):
        found = {
            "energies": labels.energies[index],
            "forces": labels.forces[2 * index : 2 * index + 2],
            "stresses": labels.stresses[index],
        }
        energy, forces, stress = (changes.get(name, lambda value: value)(value) for name, value in found.items())
        given = {"energy": energy, "forces": forces, "stress": stress}
        atoms.calc = SinglePointCalculator(atoms, **{name: each for name, each in given.items() if each is not None})
        atoms.info["source"] = f"run-{100 * (1 + index % 2)}K"
    return frames

"""Frames of two samplers, jobs that compare them, and reference numbers of dscribe's kernel."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from engine_jobs import HELPERS, SOURCE, engine_environment, run_engine, write_job
from rounding_noise import disturbed

STAND_IN = HELPERS / "stand_in_analysis"
REFERENCE = Path(__file__).parents[1] / "data" / "similarity_reference.json"
STAND_IN_ENVIRONMENT = engine_environment(PYTHONPATH=os.pathsep.join(map(str, [SOURCE, HELPERS, STAND_IN])))

SIZES = (5, 5, 3, 8, 8, 5, 3, 5)
"""Atoms of each of the reference's structures."""
N_FEATURES = 12
SETTINGS = tuple((alpha, threshold) for alpha in (1.0, 0.1, 0.01) for threshold in (1e-6, 1e-8))


def reference_rows() -> list[np.ndarray]:
    """Return descriptors of unit length from random numbers, one array a structure."""
    rng = np.random.default_rng(7)
    rows = [disturbed(rng.exponential(size=(size, N_FEATURES)) ** 2) for size in SIZES]
    return [part / np.linalg.norm(part, axis=1)[:, None] for part in rows]


def stored_kernels() -> dict[tuple[float, float], np.ndarray]:
    """Return dscribe's kernels between :func:`reference_rows`, by alpha and threshold."""
    content = json.loads(REFERENCE.read_text())
    return {(item["alpha"], item["threshold"]): np.array(item["kernel"]) for item in content["kernels"]}


def salt_frames(count: int = 12, repeat: int = 1, **widths: float) -> dict[str, Atoms]:
    """Return frames of rock salt by label: of each sampler so many, displaced with its width (Å)."""
    frames = {}
    for order, (sampler, width) in enumerate((widths or {"cold": 0.05, "warm": 0.15}).items()):
        rng = np.random.default_rng([repeat, order])
        for index in range(count):
            atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True) * (repeat, repeat, repeat)
            atoms.positions += rng.normal(0, width, atoms.positions.shape)
            frames[f"{sampler}/{index}"] = atoms
    return frames


def run_similarity(
    folder: Path,
    structures: dict[str, Atoms],
    /,
    *,
    python: str = sys.executable,
    environment: dict[str, str] = STAND_IN_ENVIRONMENT,
    **parameters: Any,
) -> dict[str, Any]:
    """Run a job and return its results."""
    write_job(folder, "similarity", structures, model=None, **parameters)
    return run_engine(folder, python=python, env=environment)

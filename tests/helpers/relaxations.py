"""Relaxations that are killed, and what has to be the same after it."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from engine_jobs import calculator_from, read_arrays, start_engine, write_job

from crucible_engine.wire.schema import ARRAYS_FILE, JOURNAL_FILE, TRAJECTORIES_FILE

KEPT = {"fmax": 0.01, "trajectory_interval": 3}
VARIANTS: dict[str, dict[str, Any]] = {
    "FIRE": {"optimizer": "FIRE"},
    "LBFGS, without symmetry": {"optimizer": "LBFGS", "keep_symmetry": False},
    "BFGS": {"optimizer": "BFGS"},
    "BFGS, a fixed cell": {"optimizer": "BFGS", "cell": "fixed", "keep_symmetry": False},
    "FIRE, the shape": {"optimizer": "FIRE", "cell": "shape"},
    "LBFGS, the volume under pressure": {"optimizer": "LBFGS", "cell": "volume", "pressure": 5.0},
    "BFGS, a calculator that remembers": {"optimizer": "BFGS", "keep_symmetry": False, "remembers": True},
}
"""Every optimizer and cell, with symmetry and without."""


def distorted() -> dict[str, Atoms]:
    """Return a crystal of low symmetry and one of high symmetry with noise, both far from their minima."""
    wurtzite = bulk("CuAu", "wurtzite", a=4.0, c=6.6)
    wurtzite.positions += np.random.default_rng(3).normal(0, 1e-4, wurtzite.positions.shape)
    cubic = bulk("Cu", cubic=True)
    cubic.symbols[0] = "Au"
    rng = np.random.default_rng(1)
    cubic.positions += rng.normal(0, 0.1, cubic.positions.shape)
    cubic.set_cell(cubic.cell.array @ (np.eye(3) + rng.normal(0, 0.02, (3, 3))), scale_atoms=True)
    return {"wurtzite": wurtzite, "rattled": cubic}


def write_relaxation(folder: Path, variant: str, **changes: Any) -> Path:
    """Write the job of a variant."""
    parameters = {**KEPT, **VARIANTS[variant], **changes}
    model = {"model": calculator_from("ase.calculators.emt:EMT")} if parameters.pop("remembers", False) else {}
    return write_job(folder, "relax", distorted(), **model, **parameters)


def everything(folder: Path) -> dict[str, np.ndarray]:
    """Return all arrays that a finished relaxation leaves."""
    frames = {f"frames {name}": array for name, array in read_arrays(folder, TRAJECTORIES_FILE).items()}
    return {**read_arrays(folder, ARRAYS_FILE), **frames}


def kill_when_written(folder: Path, size: int) -> bool:
    """Start a job and SIGKILL it once its journal has so many bytes; return whether it was killed before its end."""
    process = start_engine(folder)
    journal = folder / JOURNAL_FILE
    while process.poll() is None and (not journal.exists() or journal.stat().st_size < size):
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode != 0

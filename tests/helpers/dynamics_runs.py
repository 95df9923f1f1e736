"""Short runs of ``dynamics`` with every integrator, and what has to be the same after an interruption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from engine_jobs import read_arrays, run_here

from crucible_engine.tasks.dynamics.parameters import ENSEMBLES
from crucible_engine.tasks.dynamics.replica import Replica
from crucible_engine.wire.schema import RUN_FOLDER

VARIANTS: dict[str, dict[str, Any]] = {
    **{ensemble: {"ensemble": ensemble} for ensemble in ENSEMBLES},
    "npt-melchionna, lengths only, literal pfactor": {
        "ensemble": "npt-melchionna",
        "mask": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        "pfactor": 552.0,
    },
    "npt-mtk, two axes": {"ensemble": "npt-mtk", "mask": [1, 1, 0]},
    "nvt-langevin, a ramp": {"ensemble": "nvt-langevin", "final_temperature": 600.0},
    "npt-melchionna, a ramp": {"ensemble": "npt-melchionna", "final_temperature": 600.0},
    "nvt-nose-hoover-chain, a ramp, drifting": {
        "ensemble": "nvt-nose-hoover-chain",
        "final_temperature": 600.0,
        "remove_drift": False,
    },
}
"""Every integrator with what changes its state, by a name."""

SHORT = {
    "temperatures": [300.0, 500.0],
    "steps": 24,
    "time_step": 2.0,
    "series_interval": 3,
    "frame_interval": 4,
    "watch_interval": 5,
    "average_from": 0.3,
    "checkpoint_interval": 7,
    "frame_forces": True,
    "frame_velocities": True,
}
"""Parameters of a short run that uses everything."""


def gold_copper(repeat: int = 1) -> dict[str, Atoms]:
    """Return a crystal of two species, off its minimum, as a job's structures."""
    atoms = bulk("Cu", cubic=True) * repeat
    atoms.symbols[::4] = "Au"
    atoms.set_cell(atoms.cell.array * 1.03, scale_atoms=True)
    atoms.rattle(0.02, seed=2)
    return {"CuAu": atoms}


class Stop(BaseException):
    """The process is no more, as far as the run can tell."""


def die_after(folder: Path, steps: int) -> None:
    """Run a job in this process until so many steps are done, and no further."""
    advance, left = Replica.advance, [steps]

    def stopping(replica: Replica) -> None:
        if not left[0]:
            raise Stop
        left[0] -= 1
        advance(replica)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Replica, "advance", stopping)
        results = run_here(folder)
    assert results["condition"] == "unexpected-error"
    assert "Stop" in results["message"]


def everything(folder: Path) -> dict[str, bytes]:
    """Return what a run that is over leaves, bit by bit: the arrays that come back and the streams that stay."""
    streams = sorted((folder / RUN_FOLDER).glob("*-*.npy"))
    arrays = read_arrays(folder)
    return {
        **{path.name: path.read_bytes() for path in streams},
        **{name: array.tobytes() for name, array in arrays.items()},
    }


def numbers_inside(thing: Any, path: str = "", depth: int = 2) -> dict[str, np.ndarray]:
    """Return all numbers and arrays that an object keeps, by dotted path, its inner objects' included."""
    found = {}
    for name, value in vars(thing).items():
        if isinstance(value, bool | int | float | np.ndarray) or type(value).__name__ == "Cell":
            found[path + name] = np.array(value)
        elif depth and hasattr(value, "__dict__") and type(value).__module__.startswith("ase.md"):
            found.update(numbers_inside(value, f"{path}{name}.", depth - 1))
    return found

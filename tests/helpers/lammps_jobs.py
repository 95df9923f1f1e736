"""Jobs of dynamics with LAMMPS, for the engine: crystals, and how ranks are started."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from engine_jobs import write_job

from crucible_engine.wire.schema import JOB_FILE, ModelReference

RANKS = 2


def alloy(repeat: int = 2) -> Atoms:
    """Return a crystal of the potential of :mod:`lammps_potential`, near its equilibrium and off its sites."""
    atoms = bulk("Cu", cubic=True, a=4.012)
    atoms.symbols[0] = "Al"
    atoms = atoms * (repeat, repeat, repeat)
    atoms.rattle(0.02, seed=3)
    return atoms


def crystals() -> dict[str, Atoms]:
    """Return cells of every shape that LAMMPS has to be given in another frame, and atoms out of their cell."""
    cubic, sheared, left, outside = (alloy() for _ in range(4))
    sheared.set_cell(
        sheared.cell.array @ np.array([[1, 0.1, 0.05], [0.02, 1, 0.03], [-0.1, 0.04, 1.02]]), scale_atoms=True
    )
    left.set_cell(left.cell.array[[1, 0, 2]] @ np.array([[1, 0.05, 0], [0, 1, 0.02], [0.04, 0, 1]]), scale_atoms=True)
    outside.positions[::3] += outside.cell.array.sum(axis=0) * 2
    heavy = alloy()
    heavy.set_masses(np.where(np.arange(len(heavy)) == 5, 200.0, heavy.get_masses()))
    long = alloy(1) * (1, 2, 5)
    return {
        "supercell": cubic,
        "triclinic": sheared,
        "left-handed": left,
        "atoms outside": outside,
        "an isotope": heavy,
        "a cell smaller than the cutoff": alloy(1),
        "a long supercell": long,
    }


def lammps_job(folder: Path, atoms: Atoms, graph: Path, ranks: int = RANKS, **parameters: Any) -> Path:
    """Write a job of dynamics with a Deep Potential, and return its folder.

    :param ranks: that LAMMPS gets, of the backend ``lammps``.
    """
    model = ModelReference("deepmd", checkpoint=str(graph), dtype="float64")
    write_job(folder, "dynamics", {"crystal": atoms}, model=model, **{"backend": "lammps", **parameters})
    job = json.loads((folder / JOB_FILE).read_text())
    job |= {"ranks": ranks, "launcher": ["mpirun", "-np", str(ranks)] if ranks > 1 else []}
    (folder / JOB_FILE).write_text(json.dumps(job))
    return folder

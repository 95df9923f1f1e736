"""LAMMPS on two ranks beside the package of the family, in one process of its environment; a report as JSON.

``python lammps_comparison.py graph.pb folder report.json``, with the variables of :mod:`lammps_native`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from engine_jobs import read_arrays, run_here
from lammps_jobs import RANKS, alloy, crystals, lammps_job

from crucible_engine.families.load import load_model
from crucible_engine.tasks.dynamics.lammps.ensembles import SUPPORTED
from crucible_engine.tasks.dynamics.lammps.session import Session
from crucible_engine.tasks.dynamics.lammps.setup import Setup
from crucible_engine.tasks.dynamics.settings import Settings
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.schema import SERIES_COLUMNS, Job, ModelReference

FIRST = {"steps": 40, "time_step": 2.0, "series_interval": 1, "frame_interval": 1, "watch_interval": 1}
LONG = {"steps": 1000, "time_step": 2.0, "temperatures": [300.0]}


def compare_static(graph: Path, folder: Path) -> dict[str, Any]:
    """Return by crystal how far energy (relative), forces (eV/Å) and stress (eV/Å³) are apart."""
    reference = ModelReference("deepmd", checkpoint=str(graph), dtype="float64")
    model = load_model(reference, "cpu")
    job = Job("dynamics", reference, launcher=["mpirun", "-np", str(RANKS)], ranks=RANKS)
    settings = Settings(**validate_parameters("dynamics", {"backend": "lammps", "ensemble": "nve"}))
    setup = Setup.of(job, model, folder, 1)
    found = {}
    for name, atoms in crystals().items():
        session = Session(setup, settings, atoms, restart=None, target=(300.0, 300.0), rests=True, seed=1)
        now = session.snapshot()
        session.close()
        (own,) = model.evaluate_batch([atoms])
        found[name] = {
            "energy": abs(now.energy - own.energy) / abs(own.energy),
            "forces": float(np.abs(now.forces - own.forces).max()),
            "stress": float(np.abs(now.stress - own.stress).max()),
            "positions": float(np.abs(now.positions - atoms.positions).max()),
            "cell": float(np.abs(now.cell - atoms.cell.array).max()),
            "largest force": float(np.abs(own.forces).max()),
            "largest stress": float(np.abs(own.stress).max()),
        }
    return found


def compare_first_steps(graph: Path, folder: Path) -> dict[str, float]:
    """Return how far velocity Verlet of LAMMPS and of ASE are apart, by column and array, over the first steps."""
    arrays = {}
    for backend, ranks in (("ase", 1), ("lammps", RANKS)):
        own = lammps_job(
            folder / f"first-{backend}", crystals()["triclinic"], graph, ranks, backend=backend, ensemble="nve", **FIRST
        )
        results = run_here(own)
        assert results["condition"] == "finished", results
        arrays[backend] = read_arrays(own)
    ours, theirs = arrays["lammps"], arrays["ase"]
    assert list(ours) == list(theirs)
    apart = np.abs(ours["series_0"] - theirs["series_0"]).max(axis=0)
    return {
        **{column: float(value) for column, value in zip(SERIES_COLUMNS, apart, strict=True)},
        **{name: float(np.abs(ours[name] - theirs[name]).max()) for name in ours if name != "series_0"},
    }


def run_ensembles(graph: Path, folder: Path) -> dict[str, Any]:
    """Return by ensemble what became of 1000 steps."""
    found = {}
    for ensemble in SUPPORTED:
        own = lammps_job(folder / ensemble, alloy(), graph, ensemble=ensemble, **LONG)
        results = run_here(own)
        assert results["condition"] == "finished", results
        replica = results["summary"]["replicas"]["replica_0"]
        series = read_arrays(own)["series_0"]
        found[ensemble] = {
            "outcome": results["outcome"],
            "lammps": results["summary"]["lammps"],
            "rows": len(series),
            "drift": replica["conserved_drift"],
            "temperature": replica["averages"]["temperature"]["mean"],
            "pressure": replica["averages"]["pressure"]["mean"],
            "volume": [float(series[:, 6].min()), float(series[:, 6].max())],
        }
    return found


def run_bad(graph: Path, folder: Path) -> dict[str, Any]:
    """Return by what is wrong how a job ends, and what it says."""
    jobs = {
        "fewer ranks": lammps_job(folder / "ranks", alloy(), graph, ensemble="nve", steps=1),
        "no pair style": lammps_job(folder / "style", alloy(), graph, ensemble="nve", steps=1),
        "no program": lammps_job(folder / "program", alloy(), graph, ensemble="nve", steps=1),
        "unknown element": lammps_job(folder / "element", alloy(), graph, ensemble="nve", steps=1),
    }
    job = json.loads((jobs["fewer ranks"] / "job.json").read_text())
    (jobs["fewer ranks"] / "job.json").write_text(json.dumps({**job, "launcher": []}))
    gold = alloy()
    gold.symbols[3] = "Au"
    lammps_job(jobs["unknown element"], gold, graph, ensemble="nve", steps=1)
    changes = {"no pair style": {"LAMMPS_PLUGIN_PATH": ""}, "no program": {"CRUCIBLE_LAMMPS": "/nowhere/lmp"}}
    found = {}
    for what, own in jobs.items():
        before = dict(os.environ)
        os.environ.update(changes.get(what, {}))
        results = run_here(own)
        os.environ.clear()
        os.environ.update(before)
        found[what] = [results["condition"], results["message"]]
    return found


if __name__ == "__main__":
    graph, folder, report = map(Path, sys.argv[1:])
    report.write_text(
        json.dumps(
            {
                "static": compare_static(graph, folder),
                "first steps": compare_first_steps(graph, folder),
                "ensembles": run_ensembles(graph, folder),
                "bad": run_bad(graph, folder),
            },
            indent=1,
        )
    )

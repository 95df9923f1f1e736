"""Jobs for the engine as a user would write them, run in a process of their own or in this one."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from rounding_noise import disturbed

from crucible_engine.job.process import SIGNALS
from crucible_engine.job.program import main
from crucible_engine.wire.schema import ARRAYS_FILE, JOB_FILE, RESULTS_FILE, STRUCTURES_FILE, Job, ModelReference
from crucible_engine.wire.structures import write_structures

HELPERS = Path(__file__).parent
SOURCE = HELPERS.parents[1] / "src"
EMT = ModelReference("emt", dtype="float64")


def calculator_from(factory: str, **arguments: Any) -> ModelReference:
    """Return the reference of an ASE calculator made by ``module:callable`` of the tests' helpers."""
    return ModelReference(
        "ase", trust_code=True, dtype="float64", settings={"factory": factory, "arguments": arguments}
    )


def rattled_copper(count: int, seed: int = 0, repeat: int = 1) -> dict[str, Atoms]:
    """Return copper cells with displaced atoms, by label."""
    rng = np.random.default_rng(seed)
    frames = {}
    for index in range(count):
        atoms = bulk("Cu", cubic=True) * (repeat, repeat, repeat)
        atoms.positions += rng.normal(0, 0.05, atoms.positions.shape)
        frames[f"frame-{index}"] = atoms
    return frames


def write_job(
    folder: Path,
    task: str,
    structures: Mapping[str, Atoms],
    model: ModelReference = EMT,
    threads: int | None = 1,
    **parameters: Any,
) -> Path:
    """Write a job's folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    if structures:
        frames = [disturbed(atoms) for atoms in structures.values()]
        write_structures(folder / STRUCTURES_FILE, frames, list(structures))
    job = Job(task, model, parameters, threads=threads)
    (folder / JOB_FILE).write_text(json.dumps(job.to_dict()))
    return folder


def engine_environment(**changes: str) -> dict[str, str]:
    """Return the environment in which any Python finds the engine and the tests' helpers."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(SOURCE), str(HELPERS)]), **changes}


def start_engine(folder: Path, python: str = sys.executable, **options: Any) -> subprocess.Popen[str]:
    """Start the engine in a process of its own."""
    options = {"env": engine_environment(), "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    command = [python, "-m", "crucible_engine", str(folder / JOB_FILE)]
    return subprocess.Popen(command, text=True, **options)


def run_engine(folder: Path, **options: Any) -> dict[str, Any]:
    """Run the engine to its end and return ``results.json``, with what it printed as ``stderr``."""
    process = start_engine(folder, **options)
    _, stderr = process.communicate()
    assert process.returncode == 0, stderr
    return {**read_results(folder), "stderr": stderr}


def run_here(folder: Path) -> dict[str, Any]:
    """Run the engine's program in this process, which saves the start of another one; return as :func:`run_engine`."""
    status, stderr = call_here(folder)
    assert status == 0, stderr
    return {**read_results(folder), "stderr": stderr}


def call_here(folder: Path) -> tuple[int, str]:
    """Run the engine's program in this process; return its exit status and what it wrote to the standard error."""
    before = Path.cwd(), dict(os.environ), {name: signal.getsignal(getattr(signal, name)) for name in SIGNALS}
    stderr = io.StringIO()
    try:
        with contextlib.redirect_stderr(stderr), contextlib.redirect_stdout(io.StringIO()):
            status = main([str(folder / JOB_FILE)])
    finally:
        cwd, environment, handlers = before
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environment)
        for name, handler in handlers.items():
            signal.signal(getattr(signal, name), handler)
    return status, stderr.getvalue()


def read_results(folder: Path) -> dict[str, Any]:
    """Return the content of ``results.json``."""
    content: dict[str, Any] = json.loads((folder / RESULTS_FILE).read_text())
    return content


def read_arrays(folder: Path, name: str = ARRAYS_FILE) -> dict[str, np.ndarray]:
    """Return the arrays of a finished job."""
    with np.load(folder / name, allow_pickle=False) as archive:
        return {member: archive[member] for member in archive.files}

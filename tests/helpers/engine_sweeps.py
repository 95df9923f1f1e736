"""Temperature sweeps of the engine's own dynamics and the sweep's own analysis, in this process and without AiiDA's.

What a protocol gives to the jobs and what a calcfunction takes out of them is taken as it is, so that what is tested is
what a user gets.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from engine_jobs import EMT, read_arrays, run_here, write_job

from aiida_crucible.analysis.dynamics.sweep_settings import sweep_supercell, temperature_label, validate_sweep
from aiida_crucible.analysis.dynamics.temperature_record import DONE, TemperatureRecord
from aiida_crucible.analysis.dynamics.temperature_run import Crystal, Run, analyse_run, describe_run, evenly_spaced
from aiida_crucible.analysis.transitions.records import CRYSTAL_OUTCOMES
from aiida_crucible.workflows.sweep.workchain import TemperatureSweepWorkChain
from crucible_engine.wire.schema import SERIES_COLUMNS, ModelReference

CELL = [name for name in SERIES_COLUMNS if name.startswith("cell_")]


def run_sweep(
    folder: Path,
    unit_cell: Atoms,
    temperatures: Sequence[float],
    protocol: str = "fast",
    model: ModelReference = EMT,
    supercell: Sequence[int] = (2, 2, 2),
    **dynamics: Any,
) -> list[TemperatureRecord]:
    """Run a crystal at some temperatures, each from the given structure, and return what became of each.

    :param folder: of the one job; a job that was run there already is not run again.
    :param protocol: of the sweep.
    :param dynamics: parameters that are not the protocol's.
    """
    inputs = TemperatureSweepWorkChain.get_protocol_inputs(protocol)
    settings = validate_sweep(
        {**inputs["parameters"], "temperatures": list(temperatures), "supercell_matrix": list(supercell)}
    )
    crystal = Crystal(unit_cell, sweep_supercell(settings, unit_cell))
    if not (folder / "results.json").exists():
        parameters = {**inputs["base"]["dynamics"]["parameters"], **dynamics, "temperatures": list(temperatures)}
        write_job(folder, "dynamics", {"crystal": crystal.supercell}, model, **parameters)
        results = run_here(folder)
        assert results["condition"] == "finished", results["message"]
    job, results = (json.loads((folder / name).read_text()) for name in ("job.json", "results.json"))
    arrays, time_step = read_arrays(folder), job["parameters"]["time_step"]
    return [
        _record(_of(arrays, index), results["summary"]["replicas"][f"replica_{index}"], crystal, settings, time_step)
        for index in range(len(temperatures))
    ]


def _of(arrays: dict[str, np.ndarray], index: int) -> dict[str, np.ndarray]:
    return {name.rpartition("_")[0]: array for name, array in arrays.items() if name.endswith(f"_{index}")}


def _record(
    arrays: dict[str, np.ndarray], summary: dict[str, Any], crystal: Crystal, settings: dict[str, Any], time_step: float
) -> TemperatureRecord:
    values = describe_run(summary, time_step, crystal.supercell)
    if summary["step"] == summary["steps"]:
        run = _run(arrays, int(summary["averages"]["from_step"]), time_step)
        values |= analyse_run(run, crystal, settings, summary["outcome"] in CRYSTAL_OUTCOMES).values
    temperature = values["temperature"]
    return TemperatureRecord(
        temperature_label(temperature), temperature, DONE, values["reason"], values["outcome"], values
    )


def _run(arrays: dict[str, np.ndarray], from_step: int, time_step: float) -> Run:
    columns = dict(zip(SERIES_COLUMNS, arrays["series"].T, strict=True))
    rows = columns["step"] >= from_step
    frames = evenly_spaced(arrays["frame_steps"], from_step)
    return Run(
        series={name: column[rows] for name, column in columns.items()},
        times=arrays["frame_steps"][frames] * time_step,
        positions=arrays["frame_positions"][frames].astype(float),
        cells=arrays["frame_cells"][frames].astype(float),
        mean_positions=arrays["mean_positions"],
        mean_squares=arrays["mean_square_displacements"],
        mean_cell=arrays["mean_cell"],
    )

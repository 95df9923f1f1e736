"""Molecular dynamics with provenance: the supercell to run, and what a run at one temperature says."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, Data, Dict, Str, StructureData, TrajectoryData

from aiida_crucible.analysis.dynamics.sweep_settings import (
    strained_unit_cell,
    sweep_supercell,
    validate_sweep,
)
from aiida_crucible.analysis.dynamics.temperature_run import (
    Crystal,
    Run,
    RunAnalysis,
    analyse_run,
    describe_run,
    evenly_spaced,
)
from aiida_crucible.analysis.transitions.records import CRYSTAL_OUTCOMES
from aiida_crucible.nodes.force_data import FEMTOSECONDS
from aiida_crucible.nodes.structures import from_atoms, to_atoms
from crucible_engine.wire.schema import SERIES_COLUMNS

NUMERICS = 2
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


@calcfunction
def build_supercell(structure: StructureData, parameters: Dict) -> StructureData:
    """Return the supercell that a temperature sweep runs.

    :param structure: the unit cell.
    :param parameters: see :mod:`aiida_crucible.analysis.dynamics.sweep_settings`.
    """
    return from_atoms(sweep_supercell(validate_sweep(parameters.get_dict()), to_atoms(structure)))


@calcfunction
def strain_unit_cell(structure: StructureData, parameters: Dict) -> StructureData:
    """Return the unit cell with the lengths that a temperature sweep keeps it at.

    :param structure: the unit cell.
    :param parameters: see :mod:`aiida_crucible.analysis.dynamics.sweep_settings`.
    """
    return from_atoms(strained_unit_cell(validate_sweep(parameters.get_dict()), to_atoms(structure)))


@calcfunction
def analyse_temperature(
    structure: StructureData,
    supercell: StructureData,
    parameters: Dict,
    *,
    results: Dict,
    replica: Str,
    series: ArrayData | None = None,
    averages: ArrayData | None = None,
    trajectory: TrajectoryData | None = None,
    reference_structure: StructureData | None = None,
    born_charges: ArrayData | None = None,
    displaced_structure: StructureData | None = None,
) -> dict[str, Data]:
    """Return what a run at one temperature says; of one whose crystal was lost before its end only how that was.

    :param structure: the unit cell.
    :param supercell: made of it, see :func:`build_supercell`.
    :param parameters: see :mod:`aiida_crucible.analysis.dynamics.sweep_settings`.
    :param results: of the job.
    :param replica: label of the run in the job.
    :param series: its time series.
    :param averages: its mean positions, displacements and cell.
    :param trajectory: its frames.
    :param reference_structure: the high-symmetry structure, the unit cell's atoms in its order.
    :param born_charges: array ``charges``, e, of the unit cell's atoms, shape [n_atoms, 3, 3].
    :param displaced_structure: in which the order parameter is 1, where that is not the unit cell: as it was given,
        before it was relaxed.
    :return: ``analysis`` (the values of :func:`aiida_crucible.analysis.dynamics.temperature_run.describe_run` and
        :func:`aiida_crucible.analysis.dynamics.temperature_run.analyse_run`), and where there are any ``distributions``
        (pair distributions, mean square displacements) and ``mean_structure``.
    """
    summary = results.get_dict()["summary"]["replicas"][replica.value]
    atoms, job = to_atoms(supercell), results.get_dict()["summary"]
    values = describe_run(summary, job["time_step"], atoms)
    is_crystal = summary["outcome"] in CRYSTAL_OUTCOMES
    if series is None or averages is None or summary["step"] < summary["steps"]:
        return {"analysis": Dict(values)}
    settings = validate_sweep(parameters.get_dict())
    crystal = Crystal(
        strained_unit_cell(settings, to_atoms(structure)),
        atoms,
        None if reference_structure is None else to_atoms(reference_structure),
        None if born_charges is None else born_charges.get_array("charges"),
        None if displaced_structure is None else to_atoms(displaced_structure),
    )
    run = _run(series, averages, trajectory, int(summary["averages"]["from_step"]), len(crystal.supercell))
    analysis = analyse_run(run, crystal, settings, is_crystal)
    return {"analysis": Dict({**values, **analysis.values}), **_nodes(analysis)}


def _run(
    series: ArrayData, averages: ArrayData, trajectory: TrajectoryData | None, from_step: int, n_atoms: int
) -> Run:
    rows = series.get_array("step") >= from_step
    times, positions, cells = np.zeros(0), np.zeros((0, n_atoms, 3)), np.zeros((0, 3, 3))
    if trajectory is not None:
        frames = evenly_spaced(trajectory.get_stepids(), from_step)
        times = trajectory.get_times()[frames] * FEMTOSECONDS
        positions, cells = trajectory.get_positions()[frames], trajectory.get_cells()[frames]
    return Run(
        series={name: series.get_array(name)[rows] for name in SERIES_COLUMNS},
        times=times,
        positions=positions,
        cells=cells,
        mean_positions=averages.get_array("mean_positions"),
        mean_squares=averages.get_array("mean_square_displacements"),
        mean_cell=averages.get_array("mean_cell"),
    )


def _nodes(analysis: RunAnalysis) -> dict[str, Any]:
    nodes: dict[str, Any] = {}
    if analysis.arrays:
        nodes["distributions"] = ArrayData(analysis.arrays)
    if analysis.mean is not None:
        nodes["mean_structure"] = from_atoms(analysis.mean.atoms)
    return nodes

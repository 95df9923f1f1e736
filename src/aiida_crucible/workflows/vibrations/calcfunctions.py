"""Vibrations with provenance: the displaced geometries, what follows from their forces, and the verdict."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, Data, Dict, StructureData, TrajectoryData

from aiida_crucible.analysis.crystal.finite import kind_of, repeats_for
from aiida_crucible.analysis.dynamics.bonds import longest_change, observe_bonds
from aiida_crucible.analysis.phonons.vibrations import (
    analyse_vibrations,
    displaced,
    summarise_vibrations,
    validate_vibrations,
)
from aiida_crucible.analysis.verdict.finite import Findings, HotRun, conclude_finite, judge_finite
from aiida_crucible.analysis.verdict.headline import Subject
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import atoms_to_trajectory, from_atoms, to_atoms
from crucible_engine.tasks.dynamics.parameters import time_step_warning
from crucible_engine.wire.schema import LOST_OUTCOMES

FAILED = tuple(outcome for outcome in LOST_OUTCOMES if outcome != "melted")
"""What ends a run of a molecule or a slab; that it leaves its sites does not."""

NUMERICS = 3
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


@calcfunction
def repeat_slab(structure: StructureData, parameters: Dict) -> StructureData:
    """Return what is periodic repeated until it is as long as is asked.

    :param structure: at rest.
    :param parameters: see :mod:`aiida_crucible.analysis.phonons.vibrations`.
    """
    atoms = to_atoms(structure)
    return from_atoms(atoms * repeats_for(atoms, validate_vibrations(parameters.get_dict())["shortest_length"]))


@calcfunction
def displace_atoms(structure: StructureData, parameters: Dict) -> TrajectoryData:
    """Return the geometry as it is, and with each atom displaced along each axis, forth and back.

    :param structure: at rest.
    :param parameters: see :mod:`aiida_crucible.analysis.phonons.vibrations`.
    """
    settings = validate_vibrations(parameters.get_dict())
    return atoms_to_trajectory(displaced(to_atoms(structure), settings["displacement"]))


@calcfunction
def find_vibrations(structure: StructureData, parameters: Dict, properties: ArrayData) -> dict[str, Data]:
    """Return what the forces of the displaced geometries say.

    :param structure: at rest.
    :param parameters: see :mod:`aiida_crucible.analysis.phonons.vibrations`.
    :param properties: with ``forces``, eV/Å, [1 + 6 n_atoms, n_atoms, 3].
    :return: ``summary`` and, unless the forces are not finite, ``modes``: ``frequencies`` (THz) and ``eigenvectors``.
    """
    forces = properties.get_array("forces")
    if not np.isfinite(forces).all():
        reason = "the model gave forces that are no finite numbers"
        return {"summary": Dict({"outcome": "non-finite", "reason": reason})}
    atoms = to_atoms(structure)
    found = analyse_vibrations(atoms, forces, validate_vibrations(parameters.get_dict())["displacement"])
    arrays = {"frequencies": found.frequencies, "eigenvectors": found.modes}
    return {"summary": Dict(summarise_vibrations(atoms, found)), "modes": ArrayData(arrays)}


@calcfunction
def explain_missing_vibrations(relaxation: Dict) -> Dict:
    """Return the summary of what could not be relaxed.

    :param relaxation: see :func:`aiida_crucible.workflows.relax.calcfunctions.summarise_relaxation`.
    """
    outcome = relaxation["outcome"]
    return Dict({"outcome": "not-relaxed", "reason": f"it could not be relaxed ({outcome}), so that nothing vibrates"})


@calcfunction
def judge_finite_model(
    structure: StructureData,
    model: ModelData,
    parameters: Dict,
    verification: Dict,
    summary: Dict,
    *,
    relaxation: Dict | None = None,
    relaxed: StructureData | None = None,
    cell: StructureData | None = None,
    reference: Dict | None = None,
    hot: Dict | None = None,
    **trajectories: TrajectoryData,
) -> Dict:
    """Return the verdict on the model: whether it is right about this molecule or slab, as far as that is known.

    :param structure: as it was given.
    :param verification: ``results`` of it.
    :param summary: of :func:`find_vibrations` or :func:`explain_missing_vibrations`.
    :param relaxation: ``summary`` of ``crucible.relax``, and ``relaxed``, the last geometry.
    :param cell: that was run hot.
    :param reference: see :data:`aiida_crucible.analysis.verdict.finite.KNOWN`.
    :param hot: ``results`` of ``crucible.dynamics``, and ``trajectories``, its runs.
    :return: as :func:`aiida_crucible.workflows.reliability.calcfunctions.judge_model`, without an anharmonicity.
    """
    atoms = to_atoms(structure)
    known = {} if reference is None else reference.get_dict()
    change = (0.0, "as given") if relaxed is None else longest_change(atoms, to_atoms(relaxed))
    runs = [] if hot is None or cell is None else _hot_runs(cell, hot.get_dict()["summary"], trajectories)
    shortest = validate_vibrations(parameters.get_dict())["shortest_duration"]
    findings = Findings(
        kind_of(atoms),
        verification.get_dict(),
        None if relaxation is None else relaxation.get_dict(),
        change,
        summary.get_dict(),
        runs,
        shortest,
    )
    judged = judge_finite(findings, known)
    name = f"{atoms.get_chemical_formula('metal', empirical=kind_of(atoms) != 'molecule')} ({kind_of(atoms)})"
    verdict = conclude_finite(Subject(model.title, name), judged, runs)
    return Dict(
        {
            **verdict.as_dict(),
            "questions": {name: asdict(each) for name, each in judged.items()},
            "runs": [asdict(run) for run in runs],
            "not_asked": summary.get_dict().get("not_asked", ""),
        }
    )


def _hot_runs(cell: StructureData, summary: dict[str, Any], trajectories: dict[str, TrajectoryData]) -> list[HotRun]:
    """Return what each replica did, ascending in temperature."""
    found = []
    warning = time_step_warning(summary["time_step"], min(to_atoms(cell).get_masses())) or ""
    for label, replica in summary["replicas"].items():
        failure = replica["outcome"] if replica["outcome"] in FAILED else ""
        positions = trajectories[label].get_positions() if label in trajectories else np.empty((0, len(cell.sites), 3))
        bonds = observe_bonds(to_atoms(cell), positions)
        steps = replica["step"]
        length = steps * summary["time_step"] / 1000
        seen = (bonds.number, bonds.broken, bonds.worst)
        found.append(HotRun(replica["temperature"], steps, length, failure, *seen, warning))
    return sorted(found, key=lambda run: run.temperature)

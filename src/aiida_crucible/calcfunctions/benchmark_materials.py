"""One material of a benchmark with provenance: its supercells, its force constants, and its row."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, Data, Dict, StructureData, TrajectoryData
from ase import Atoms

from aiida_crucible.analysis.anharmonicity_combinations import OWN, REFERENCE
from aiida_crucible.analysis.benchmark_rows import failed_row, row_of
from aiida_crucible.analysis.benchmark_settings import ANHARMONICITY, COMPARISON, PHONON, validate_benchmark_settings
from aiida_crucible.analysis.harmonic_comparison import compare_phonons
from aiida_crucible.analysis.phonon_analysis import prepare, solve
from aiida_crucible.analysis.phonon_settings import same_supercell
from aiida_crucible.analysis.stability_classes import CANNOT_TELL
from aiida_crucible.anharmonicity_scores import frames_by_combination, score_combination
from aiida_crucible.calcfunctions.harmonic_comparison import restored
from aiida_crucible.force_data import FORCES, chosen_frames, settled
from aiida_crucible.structures import atoms_to_trajectory, to_atoms

NUMERICS = 1
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


@calcfunction
def displace_material(
    structure: StructureData,
    settings: Dict,
    reference_structure: StructureData | None = None,
    reference_force_constants: ArrayData | None = None,
) -> TrajectoryData:
    """Return the supercells of a phonon calculation, the ideal one first, then the displaced ones.

    :param structure: the unit cell, relaxed.
    :param settings: see :mod:`aiida_crucible.analysis.benchmark_settings`.
    :param reference_structure: the unit cell of the reference.
    :param reference_force_constants: give the supercell, where the settings name none and it is one of these cells.
    """
    atoms = to_atoms(structure)
    _, plan = prepare(atoms, _phonon_settings(atoms, settings, reference_structure, reference_force_constants))
    return atoms_to_trajectory(plan.structures())


@calcfunction
def settle_reference(trajectory: TrajectoryData, settings: Dict) -> TrajectoryData:
    """Return the frames of a run that are to be a reference: those after the discarded ones.

    :param trajectory: with forces.
    :param settings: see :mod:`aiida_crucible.analysis.benchmark_settings`.
    """
    return chosen_frames(trajectory, settled(trajectory.numsteps, _settings(settings)[ANHARMONICITY]["discard"]))


@calcfunction
def solve_material(
    structure: StructureData,
    settings: Dict,
    properties: ArrayData,
    *,
    reference_structure: StructureData | None = None,
    reference_force_constants: ArrayData | None = None,
) -> dict[str, Data]:
    """Return a material's force constants, and how its phonons differ from a reference's.

    :param structure: the unit cell, relaxed.
    :param settings: see :mod:`aiida_crucible.analysis.benchmark_settings`.
    :param properties: ``forces`` (eV/Å) of the supercells of :func:`displace_material`.
    :param reference_structure: the unit cell of the reference.
    :param reference_force_constants: as ``crucible.phonon`` has them, or as they were imported.
    :return: ``summary``: ``phonons`` (outcome and reason, what follows from the force constants) and ``harmonic``
        (see :func:`aiida_crucible.calcfunctions.harmonic_comparison.compare_harmonic`); unless forces are not finite
        ``force_constants``; and where they were compared ``modes``.
    """
    forces = properties.get_array(FORCES)
    if not np.isfinite(forces).all():
        broken = int((~np.isfinite(forces).all(axis=(1, 2))).sum())
        reason = f"the model gave forces that are no finite numbers in {broken} of {len(forces)} supercells"
        return {"summary": Dict({"phonons": {"outcome": "non-finite", "reason": reason}, "harmonic": None})}
    atoms = to_atoms(structure)
    phonon, constants, phonons = solve(
        atoms, _phonon_settings(atoms, settings, reference_structure, reference_force_constants), forces
    )
    stored = ArrayData(
        {
            "force_constants": constants.values,
            "supercell_matrix": np.array(phonon.supercell_matrix),
            "primitive_matrix": np.array(phonon.primitive_matrix),
        }
    )
    stored.base.attributes.set("acoustic_sum_residual", constants.acoustic_sum_residual)
    stored.base.attributes.set("index_symmetry_residual", constants.index_symmetry_residual)
    phonons["reason"] = phonons["verdict"]["reason"]
    found: dict[str, Data] = {"force_constants": stored}
    harmonic: dict[str, Any] | None = None
    if reference_structure is not None and reference_force_constants is not None:
        comparison = _settings(settings)[COMPARISON]
        tolerance = comparison["symmetry_tolerance"]
        try:
            reference = restored("reference", reference_structure, reference_force_constants, tolerance)
            model = restored("model", structure, stored, tolerance)
            compared = compare_phonons(reference, model, comparison)
        except ValueError as error:  # a model may relax to another crystal, which is a result
            harmonic = {"outcome": "not-comparable", "reason": str(error)}
        else:
            harmonic = {"outcome": "compared", **compared.values}
            found["modes"] = ArrayData(compared.arrays)
    return {**found, "summary": Dict({"phonons": phonons, "harmonic": harmonic})}


@calcfunction
def measure_material(
    identity: Dict,
    settings: Dict,
    *,
    solution: Dict | None = None,
    structure: StructureData | None = None,
    force_constants: ArrayData | None = None,
    reference_structure: StructureData | None = None,
    reference_force_constants: ArrayData | None = None,
    reference_trajectory: TrajectoryData | None = None,
    properties: ArrayData | None = None,
    **trajectories: TrajectoryData,
) -> dict[str, Data]:
    """Return the row of one material with one model.

    :param identity: see :func:`aiida_crucible.analysis.benchmark_rows.row_of`; ``phonons`` where there is no solution.
    :param settings: see :mod:`aiida_crucible.analysis.benchmark_settings`.
    :param solution: the ``summary`` of :func:`solve_material`.
    :param structure: the unit cell, relaxed.
    :param force_constants: the model's own.
    :param reference_structure: the unit cell of the reference.
    :param reference_force_constants: of the reference.
    :param reference_trajectory: frames of the reference with forces.
    :param properties: the model's ``forces`` there, eV/Å.
    :param trajectories: the model's own runs with forces, by labels that begin with their temperature.
    :return: ``row``; ``scores``, all that is said of each combination; and by combination ``details_…``, the arrays.
    """
    given, complete = identity.get_dict(), _settings(settings)
    places = {
        OWN: (structure, force_constants),
        REFERENCE: (reference_structure, reference_force_constants),
    }
    scores: dict[str, dict[str, Any]] = {}
    details: dict[str, Data] = {}
    for combination, frames in frames_by_combination(reference_trajectory, properties, trajectories):
        crystal, constants = places[combination.constants]
        if crystal is None or constants is None:
            continue
        is_of_reference = combination.frames == REFERENCE or reference_trajectory is not None
        frames_of = {name: node for name, node in frames.items() if name != "properties"}
        try:
            values, arrays = score_combination(
                crystal,
                constants,
                complete[ANHARMONICITY],
                combination.as_dict(),
                frames_of,
                origin=reference_structure if is_of_reference else structure,
                properties=frames.get("properties"),
            )
        except Exception as error:  # force constants of another crystal, say: what else there is must not be lost
            values, arrays = {**combination.as_dict(), "class": CANNOT_TELL, "reason": str(error)}, {}
        scores[combination.label] = values
        if arrays:
            details[f"details_{combination.label}"] = ArrayData(arrays)
    solved = {"phonons": given.get("phonons"), "harmonic": None} if solution is None else solution.get_dict()
    reference = {"force_constants": reference_force_constants, "trajectory": reference_trajectory}
    row = row_of(
        given,
        complete,
        [name for name, node in reference.items() if node is not None],
        phonons=solved["phonons"],
        harmonic=solved["harmonic"],
        scores=scores,
    )
    return {"row": Dict(row), "scores": Dict(scores), **details}


@calcfunction
def regroup_row(row: Dict, group: Dict) -> Dict:
    """Return a row that was found again with another group.

    :param row: as it was measured.
    :param group: ``group``, its name.
    """
    return Dict({**row.get_dict(), "group": group["group"]})


@calcfunction
def explain_failed_material(identity: Dict, reason: Dict) -> Dict:
    """Return the row of a material that nothing was computed of.

    :param identity: see :func:`aiida_crucible.analysis.benchmark_rows.failed_row`.
    :param reason: ``reason``, one line.
    """
    return Dict(failed_row(identity.get_dict(), reason["reason"]))


def _settings(settings: Dict) -> dict[str, Any]:
    return validate_benchmark_settings(settings.get_dict())


def _phonon_settings(
    atoms: Atoms, settings: Dict, reference: StructureData | None, constants: ArrayData | None
) -> dict[str, Any]:
    """Return the settings of the phonons: in the reference's supercell, unless they name one themselves."""
    found: dict[str, Any] = _settings(settings)[PHONON]
    if found["supercell_matrix"] is None and reference is not None and constants is not None:
        matrix = constants.get_array("supercell_matrix")
        in_these_cells = same_supercell(atoms.cell.array, to_atoms(reference).cell.array, matrix)
        found = {**found, "supercell_matrix": in_these_cells}
    return found

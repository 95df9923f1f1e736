"""One material of a benchmark with provenance: its force constants and its row, in one calcfunction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, Data, Dict, StructureData, TrajectoryData
from ase import Atoms

from aiida_crucible.analysis.anharmonicity.combinations import OWN, REFERENCE
from aiida_crucible.analysis.benchmark.rows import failed_row, row_of
from aiida_crucible.analysis.benchmark.settings import ANHARMONICITY, COMPARISON, PHONON, validate_benchmark_settings
from aiida_crucible.analysis.benchmark.stability_classes import CANNOT_TELL
from aiida_crucible.analysis.comparison.harmonic import compare_phonons
from aiida_crucible.analysis.phonons.phonon_analysis import solve
from aiida_crucible.analysis.phonons.settings import same_supercell
from aiida_crucible.nodes.anharmonicity_scores import frames_by_combination, score_combination
from aiida_crucible.nodes.force_data import FORCES, ensemble_forces, force_constants_node
from aiida_crucible.nodes.structures import to_atoms
from aiida_crucible.workflows.harmonic_comparison.calcfunctions import restored

NUMERICS = 4
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


@calcfunction
def measure_material(
    identity: Dict,
    settings: Dict,
    *,
    structure: StructureData | None = None,
    displaced_properties: ArrayData | None = None,
    reference_structure: StructureData | None = None,
    reference_force_constants: ArrayData | None = None,
    reference_trajectory: TrajectoryData | None = None,
    properties: ArrayData | None = None,
    **trajectories: TrajectoryData,
) -> dict[str, Data]:
    """Return the row of one material with one model.

    :param identity: see :func:`aiida_crucible.analysis.benchmark.rows.row_of`; ``phonons`` where there are no forces of
        displaced supercells.
    :param settings: see :mod:`aiida_crucible.analysis.benchmark.settings`.
    :param structure: the unit cell, relaxed.
    :param displaced_properties: the model's ``forces`` (eV/Å) of its displaced supercells.
    :param reference_structure: the unit cell of the reference.
    :param reference_force_constants: of the reference, as ``crucible.phonon`` has them, or as they were imported.
    :param reference_trajectory: frames of the reference with forces.
    :param properties: the model's ``forces`` there, eV/Å.
    :param trajectories: the model's own runs with forces, by labels that begin with their temperature.
    :return: ``row``; ``scores``, all that is said of each combination; by combination ``details_…``, the arrays; unless
        forces are not finite ``force_constants``, the model's own; and where they were compared ``modes``.
    """
    given, complete = identity.get_dict(), validate_benchmark_settings(settings.get_dict())
    found: dict[str, Data] = {}
    phonons, harmonic = given.get("phonons"), None
    if structure is not None and displaced_properties is not None:
        try:
            solution = solve_material(
                structure, displaced_properties, complete, reference_structure, reference_force_constants
            )
        except Exception as error:  # whatever a library has against a crystal: what else there is must not be lost
            given["failures"] = {**given["failures"], PHONON: why(error)}
        else:
            found, phonons, harmonic = solution
    places = {
        OWN: (structure, found.get("force_constants")),
        REFERENCE: (reference_structure, reference_force_constants),
    }
    scores: dict[str, dict[str, Any]] = {}
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
                outcomes=given["runs"],
                origin=reference_structure if is_of_reference else structure,
                properties=frames.get("properties"),
            )
        except Exception as error:  # force constants of another crystal, say
            values, arrays = {**combination.as_dict(), "class": CANNOT_TELL, "reason": str(error)}, {}
        scores[combination.label] = values
        if arrays:
            found[f"details_{combination.label}"] = ArrayData(arrays)
    reference = {"force_constants": reference_force_constants, "trajectory": reference_trajectory}
    row = row_of(
        given,
        complete,
        [name for name, node in reference.items() if node is not None],
        phonons=phonons,
        harmonic=harmonic,
        scores=scores,
    )
    return {"row": Dict(row), "scores": Dict(scores), **found}


@calcfunction
def regroup_row(row: Dict, group: Dict) -> Dict:
    """Return a row that was found again with another group.

    :param row: as it was measured.
    :param group: ``group``, its name.
    """
    return Dict({**row.get_dict(), "group": group["group"]})


@calcfunction
def explain_failed_materials(identities: Dict, reasons: Dict) -> dict[str, Data]:
    """Return the rows of materials that nothing was computed of, by their labels.

    :param identities: by label, see :func:`aiida_crucible.analysis.benchmark.rows.failed_row`.
    :param reasons: by label, one line.
    """
    given = identities.get_dict()
    return {label: Dict(failed_row(given[label], reason)) for label, reason in reasons.get_dict().items()}


def solve_material(
    structure: StructureData,
    properties: ArrayData,
    settings: Mapping[str, Any],
    reference_structure: StructureData | None,
    reference_force_constants: ArrayData | None,
) -> tuple[dict[str, Data], dict[str, Any], dict[str, Any] | None]:
    """Return a material's force constants, what follows from them, and how its phonons differ from a reference's.

    :param properties: of its displaced supercells; other nodes as of :func:`measure_material`.
    :param settings: complete.
    :return: ``force_constants``, unless forces are not finite, and ``modes``, where they were compared; the outcome of
        the phonons; and the comparison (see
        :func:`aiida_crucible.workflows.harmonic_comparison.calcfunctions.compare_harmonic`).
    """
    forces = properties.get_array(FORCES)
    if not np.isfinite(forces).all():
        broken = int((~np.isfinite(forces).all(axis=(1, 2))).sum())
        reason = f"the model gave forces that are no finite numbers in {broken} of {len(forces)} supercells"
        return {}, {"outcome": "non-finite", "reason": reason}, None
    atoms = to_atoms(structure)
    phonon, constants, phonons = solve(
        atoms,
        phonon_settings(atoms, settings, reference_structure, reference_force_constants),
        forces,
        ensemble_forces(properties),
    )
    stored = force_constants_node(constants, phonon.supercell_matrix, phonon.primitive_matrix)
    phonons["reason"] = phonons["verdict"]["reason"]
    if reference_structure is None or reference_force_constants is None:
        return {"force_constants": stored}, phonons, None
    tolerance = settings[COMPARISON]["symmetry_tolerance"]
    try:
        reference = restored("reference", reference_structure, reference_force_constants, tolerance)
        model = restored("model", structure, stored, tolerance)
        compared = compare_phonons(reference, model, settings[COMPARISON])
    except ValueError as error:  # a model may relax to another crystal, which is a result
        return {"force_constants": stored}, phonons, {"outcome": "not-comparable", "reason": str(error)}
    # Errors by band and by q follow from the spectra, and each array is a file.
    spectra = {name: array for name, array in compared.arrays.items() if "_by_" not in name}
    nodes: dict[str, Data] = {"force_constants": stored, "modes": ArrayData(spectra)}
    return nodes, phonons, {"outcome": "compared", **compared.values}


def phonon_settings(
    atoms: Atoms, settings: Mapping[str, Any], reference: StructureData | None, constants: ArrayData | None
) -> dict[str, Any]:
    """Return the settings of the phonons: in the reference's supercell, unless they name one themselves.

    :param atoms: the unit cell.
    :param settings: complete.
    :param reference: the unit cell of the reference.
    :param constants: of the reference.
    """
    found: dict[str, Any] = settings[PHONON]
    if found["supercell_matrix"] is None and reference is not None and constants is not None:
        matrix = constants.get_array("supercell_matrix")
        in_these_cells = same_supercell(atoms.cell.array, to_atoms(reference).cell.array, matrix)
        found = {**found, "supercell_matrix": in_these_cells}
    return found


def why(error: Exception) -> str:
    """Return an error in one line."""
    return f"{type(error).__name__}: {error}".splitlines()[0]

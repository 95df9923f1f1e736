"""The harmonic phonons of a model against a reference, with provenance."""

from __future__ import annotations

from aiida.engine import calcfunction
from aiida.orm import ArrayData, Data, Dict, StructureData
from phonopy import Phonopy

from aiida_crucible.analysis.comparison.harmonic import compare_phonons
from aiida_crucible.analysis.comparison.settings import validate_comparison
from aiida_crucible.analysis.phonons.lattice_force_constants import STORED_ARRAYS, restore_phonons
from aiida_crucible.nodes.structures import to_atoms

NUMERICS = 4
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


@calcfunction
def compare_harmonic(
    reference_structure: StructureData,
    reference_force_constants: ArrayData,
    structure: StructureData,
    force_constants: ArrayData,
    parameters: Dict,
) -> dict[str, Data]:
    """Return how the phonons of a model differ from those of a reference.

    :param reference_structure: the unit cell of the reference.
    :param reference_force_constants: as ``crucible.phonon`` has them, or as they were imported.
    :param structure: the unit cell of the model.
    :param force_constants: of the model, likewise; of any supercell.
    :param parameters: see :mod:`aiida_crucible.analysis.comparison.settings`.
    :return: ``summary``, see :func:`aiida_crucible.analysis.comparison.harmonic.compare_phonons`, and ``modes``: for
        every wave vector and mode frequencies (THz), group velocities (Å THz), matches, overlaps and errors.
    """
    settings = validate_comparison(parameters.get_dict())
    tolerance = settings["symmetry_tolerance"]
    reference = restored("reference", reference_structure, reference_force_constants, tolerance)
    model = restored("model", structure, force_constants, tolerance)
    try:
        found = compare_phonons(reference, model, settings)
    except ValueError as error:  # a model may relax to another crystal, which is a result
        return {"summary": Dict({"outcome": "not-comparable", "reason": str(error)})}
    return {"summary": Dict({"outcome": "compared", **found.values}), "modes": ArrayData(found.arrays)}


@calcfunction
def explain_missing_comparison(phonons: Dict) -> Dict:
    """Return the summary of a comparison with a model that gave no phonons.

    :param phonons: see ``crucible.phonon``, output ``summary``.
    """
    reason = f"the model gave no phonons to compare ({phonons['outcome']}): {phonons['reason']}"
    return Dict({"outcome": "no-phonons", "reason": reason, "phonons": phonons["outcome"]})


def restored(whose: str, structure: StructureData, force_constants: ArrayData, tolerance: float) -> Phonopy:
    """Return phonopy's object of a stored crystal.

    :param whose: as the message should call it.
    :raises ValueError: one line, if the force constants do not belong to the structure.
    """
    missing = set(STORED_ARRAYS) - set(force_constants.get_arraynames())
    if missing:
        raise ValueError(
            f"the force constants of the {whose} have no array {min(missing)!r}: give those of a phonon run"
        )
    constants, supercell_matrix, primitive_matrix = (force_constants.get_array(name) for name in STORED_ARRAYS)
    try:
        return restore_phonons(to_atoms(structure), constants, supercell_matrix, primitive_matrix, tolerance)
    except ValueError as error:
        raise ValueError(f"the {whose}: {error}") from error

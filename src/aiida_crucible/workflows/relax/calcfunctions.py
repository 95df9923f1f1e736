"""What a relaxation says, for people and for what comes after it."""

from __future__ import annotations

from typing import Any

from aiida.engine import calcfunction
from aiida.orm import Dict, StructureData

from aiida_crucible.analysis.crystal.cells import formula_units, lattice_parameters
from aiida_crucible.analysis.crystal.ensemble import describe_ensemble
from aiida_crucible.nodes.structures import to_atoms

SYMMETRY_TOLERANCE = 1e-3
"""Å; with which the conventional cell of a relaxed structure is found."""

NUMERICS = 1
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


@calcfunction
def summarise_relaxation(results: Dict, **relaxed: StructureData) -> Dict:
    """Return for each relaxed structure its outcome, energy and conventional cell.

    :param results: of ``crucible.relax``.
    :param relaxed: the last geometries, by the keys of the job's structures.
    :return: ``outcome`` (the worst) and ``structures``: for each key ``outcome``, ``formula``, ``energy`` (eV),
        ``formula_units``, ``energy_per_formula_unit`` (eV), ``lattice`` (``a`` … ``gamma`` of the conventional cell,
        ``c_over_a``, ``volume`` per formula unit), ``steps``, and what else ``crucible.relax`` says of it. Of a model
        with an ensemble also ``ensemble``, see :func:`aiida_crucible.analysis.crystal.ensemble.describe_ensemble`.
    """
    content = results.get_dict()
    summaries = content["summary"]["structures"]
    structures = {}
    for key, summary in summaries.items():
        members = summary.pop("members", None)
        structures[key] = {**summary, **_describe(relaxed.get(key), summary)}
        if members is not None:
            structures[key]["ensemble"] = describe_ensemble(to_atoms(relaxed[key]), members, SYMMETRY_TOLERANCE)
    return Dict({"outcome": content["outcome"], "structures": structures})


def _describe(structure: StructureData | None, summary: dict[str, Any]) -> dict[str, Any]:
    if structure is None:
        return {"formula": None, "formula_units": None, "energy_per_formula_unit": None, "lattice": None}
    atoms = to_atoms(structure)
    count = formula_units(atoms)
    energy = summary["energy"]
    return {
        "formula": structure.get_formula(),
        "formula_units": count,
        "energy_per_formula_unit": None if energy is None else energy / count,
        "lattice": lattice_parameters(atoms, SYMMETRY_TOLERANCE) if all(structure.pbc) else None,
    }

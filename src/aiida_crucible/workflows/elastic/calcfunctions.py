"""Elastic tensors with provenance: the strained cells, and what follows from their stresses."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, Data, Dict, StructureData
from ase import units

from aiida_crucible.analysis.elasticity.elastic_tensor import fit_stiffness
from aiida_crucible.analysis.elasticity.settings import validate_elastic
from aiida_crucible.analysis.elasticity.stability import no_tensor, summarise_elastic
from aiida_crucible.analysis.elasticity.strains import strain_amplitudes, strained_cells
from aiida_crucible.analysis.elasticity.tensors import point_group
from aiida_crucible.nodes.structures import from_atoms, to_atoms

NUMERICS = 1
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


def label_of(number: int) -> str:
    """Return the label of a cell, in whose order jobs return what they computed."""
    return f"strain_{number:03d}"


@calcfunction
def strain_crystal(structure: StructureData, parameters: Dict) -> dict[str, StructureData]:
    """Return the crystal as it is and strained, by label.

    :param structure: at rest.
    :param parameters: see :mod:`aiida_crucible.analysis.elasticity.settings`.
    """
    cells = strained_cells(to_atoms(structure), validate_elastic(parameters.get_dict()))
    return {label_of(number): from_atoms(cell) for number, cell in enumerate(cells)}


@calcfunction
def fit_elastic_tensor(
    structure: StructureData, parameters: Dict, properties: ArrayData, results: Dict, reference: Dict | None = None
) -> dict[str, Data]:
    """Return what the stresses of strained cells say.

    :param structure: that was strained.
    :param parameters: see :mod:`aiida_crucible.analysis.elasticity.settings`.
    :param properties: of the cells of :func:`strain_crystal` in their order: ``stresses`` (eV/Å³).
    :param results: of the job: where atoms were relaxed, how that ended in each cell.
    :param reference: see :func:`aiida_crucible.analysis.elasticity.stability.check_elastic_reference`.
    :return: ``summary`` and, where there is a tensor, ``tensor``, see
        :class:`aiida_crucible.workflows.elastic.workchain.ElasticWorkChain`.
    """
    atoms, settings = to_atoms(structure), validate_elastic(parameters.get_dict())
    stresses = properties.get_array("stresses") / units.GPa
    if why := _unusable(stresses, results.get_dict()["summary"].get("structures", {})):
        return {"summary": Dict(no_tensor(*why))}
    found = fit_stiffness(stresses, settings, point_group(atoms, settings["symmetry_tolerance"]))
    known: dict[str, Any] = {} if reference is None else reference.get_dict()
    states = strain_amplitudes(settings)
    arrays = {
        "elastic_tensor": found.stiffness,
        "measured": found.measured,
        "errors": found.errors,
        "components": np.array([component for component, _ in states]),
        "strains": np.array([size for _, size in states]),
        "stresses": stresses,
    }
    return {"summary": Dict(summarise_elastic(found, known, settings)), "tensor": ArrayData(arrays)}


@calcfunction
def explain_missing_elastic_tensor(relaxation: Dict) -> Dict:
    """Return the summary of an elastic tensor whose crystal could not be relaxed.

    :param relaxation: see :func:`aiida_crucible.workflows.relax.calcfunctions.summarise_relaxation`.
    """
    reason = f"the crystal could not be relaxed ({relaxation['outcome']}), so that it has no elastic tensor"
    return Dict(no_tensor(reason, "not-relaxed"))


def _unusable(stresses: np.ndarray, ends: dict[str, Any]) -> tuple[str, str] | None:
    """Return why no tensor follows, and the outcome; ``None`` where one does."""
    lost = [end["outcome"] for end in ends.values() if end["outcome"] != "converged"]
    if "non-finite" in lost or not np.isfinite(stresses).all():
        broken = int(np.sum(~np.isfinite(stresses).all(axis=1)))
        return f"the model gave stresses that are no finite numbers in {broken} of {len(stresses)} cells", "non-finite"
    if lost:
        named = ", ".join(sorted(set(lost)))
        return f"atoms could not be relaxed in {len(lost)} of {len(stresses)} strained cells ({named})", "cannot-tell"
    return None

"""Equations of state with provenance: the cells, and what follows from their energies."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, Data, Dict, StructureData
from ase import units

from aiida_crucible.analysis.crystal.cells import formula_units
from aiida_crucible.analysis.elasticity.settings import validate_equation_of_state
from aiida_crucible.analysis.elasticity.strains import scaled_cells
from aiida_crucible.analysis.elasticity.volumes import Volumes, fit_volumes, summarise_volumes
from aiida_crucible.nodes.structures import from_atoms, to_atoms

DRAWN = 201
"""Points of the fitted curve that are kept."""

NUMERICS = 1
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


def label_of(number: int) -> str:
    """Return the label of a cell, in whose order jobs return what they computed."""
    return f"volume_{number:03d}"


@calcfunction
def scale_crystal(structure: StructureData, parameters: Dict) -> dict[str, StructureData]:
    """Return the crystal at each volume, by label.

    :param structure: at rest.
    :param parameters: see :mod:`aiida_crucible.analysis.elasticity.settings`.
    """
    cells = scaled_cells(to_atoms(structure), validate_equation_of_state(parameters.get_dict()))
    return {label_of(number): from_atoms(cell) for number, cell in enumerate(cells)}


@calcfunction
def fit_equation_of_state(
    structure: StructureData, parameters: Dict, properties: ArrayData, results: Dict, reference: Dict | None = None
) -> dict[str, Data]:
    """Return what energies against volumes say.

    :param structure: whose volumes they are.
    :param parameters: see :mod:`aiida_crucible.analysis.elasticity.settings`.
    :param properties: of the cells of :func:`scale_crystal` in their order: ``energies`` (eV), ``stresses`` (eV/Å³).
    :param results: of ``crucible.relax``: how the relaxation of each ended.
    :param reference: see :data:`aiida_crucible.analysis.elasticity.volumes.REFERENCE`.
    :return: ``summary`` and ``curve``, see
        :class:`aiida_crucible.workflows.equation_of_state.workchain.EquationOfStateWorkChain`.
    """
    atoms, settings = to_atoms(structure), validate_equation_of_state(parameters.get_dict())
    summaries = results.get_dict()["summary"]["structures"]
    ends = [summaries[label_of(number)] for number in range(settings["n_points"])]
    stresses = properties.get_array("stresses")
    found = Volumes(
        volumes=np.array([end["volume"] for end in ends], dtype=float),
        energies=properties.get_array("energies"),
        pressures=-stresses[:, :3].mean(axis=1) / units.GPa,
        outcomes=[end["outcome"] for end in ends],
    )
    curve, why = fit_volumes(found, settings)
    known: dict[str, Any] = {} if reference is None else reference.get_dict()
    summary = summarise_volumes(found, (curve, why), formula_units(atoms), known, settings)
    arrays = {"volumes": found.volumes, "energies": found.energies, "pressures": found.pressures, "used": found.used}
    if curve is not None:
        drawn = np.linspace(np.nanmin(found.volumes), np.nanmax(found.volumes), DRAWN)
        arrays |= {"fit_volumes": drawn, "fit_energies": curve.energies(drawn), "fit_pressures": curve.pressures(drawn)}
    return {"summary": Dict(summary), "curve": ArrayData(arrays)}


@calcfunction
def explain_missing_equation_of_state(relaxation: Dict) -> Dict:
    """Return the summary of an equation of state whose crystal could not be relaxed.

    :param relaxation: see :func:`aiida_crucible.workflows.relax.calcfunctions.summarise_relaxation`.
    """
    reason = f"the crystal could not be relaxed ({relaxation['outcome']}), so that it has no equation of state"
    return Dict({"outcome": "not-relaxed", "reason": reason})

"""Lattice thermal conductivities with provenance: the supercells of the third order, and what follows from forces."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, Data, Dict, StructureData, TrajectoryData

from aiida_crucible.analysis.conductivity.answers import (
    Conductivity,
    conductivity,
    no_conductivity,
    stability,
    summarise_conductivity,
)
from aiida_crucible.analysis.conductivity.settings import validate_conductivity
from aiida_crucible.analysis.conductivity.third_order import (
    displaced_supercells,
    prepare_third_order,
    solve_third_order,
)
from aiida_crucible.analysis.conductivity.transport import imaginary_modes, transport
from aiida_crucible.analysis.phonons.born_charges import add_born_charges
from aiida_crucible.analysis.phonons.force_constants import build_phonopy
from aiida_crucible.analysis.phonons.lattice_force_constants import STORED_ARRAYS
from aiida_crucible.analysis.phonons.settings import validate_settings
from aiida_crucible.nodes.structures import atoms_to_trajectory, to_atoms

NUMERICS = 1
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


@calcfunction
def displace_pairs(
    structure: StructureData, parameters: Dict, phonons: Dict, force_constants: ArrayData
) -> TrajectoryData:
    """Return the supercells of the third order, with one atom or two displaced.

    :param structure: the unit cell.
    :param parameters: see :mod:`aiida_crucible.analysis.conductivity.settings`.
    :param phonons: see :mod:`aiida_crucible.analysis.phonons.settings`.
    :param force_constants: of ``crucible.phonon``.
    """
    return atoms_to_trajectory(displaced_supercells(_prepared(structure, parameters, phonons, force_constants)))


@calcfunction
def conduct_heat(
    structure: StructureData,
    parameters: Dict,
    phonons: Dict,
    force_constants: ArrayData,
    *,
    harmonic: Dict,
    properties: ArrayData,
    reference: Dict | None = None,
    born_charges: ArrayData | None = None,
) -> dict[str, Data]:
    """Return what forces of the third order say of the heat that phonons carry.

    :param structure: the unit cell.
    :param parameters: see :mod:`aiida_crucible.analysis.conductivity.settings`.
    :param phonons: see :mod:`aiida_crucible.analysis.phonons.settings`.
    :param force_constants: of ``crucible.phonon``.
    :param harmonic: the summary of ``crucible.phonon``.
    :param properties: of the supercells of :func:`displace_pairs`: ``forces`` (eV/Å).
    :param reference: see :data:`aiida_crucible.analysis.conductivity.answers.REFERENCE`.
    :param born_charges: with ``charges`` (e, [n_atoms, 3, 3]) and ``dielectric`` ([3, 3]).
    :return: ``summary`` and, where there is one, ``conductivity``, see
        :class:`aiida_crucible.workflows.conductivity.workchain.ConductivityWorkChain`.
    """
    forces = properties.get_array("forces")
    if not np.isfinite(forces).all():
        broken = int(np.sum(~np.isfinite(forces).all(axis=(1, 2))))
        reason = f"the model gave forces that are no finite numbers in {broken} of {len(forces)} supercells"
        return {"summary": Dict(no_conductivity("non-finite", reason, harmonic.get_dict()))}
    settings = validate_conductivity(parameters.get_dict())
    crystal = _prepared(structure, parameters, phonons, force_constants)
    crystal.fc2 = force_constants.get_array("force_constants")
    if born_charges is not None:
        crystal.nac_params = _correction(structure, phonons, force_constants, born_charges)
    solve_third_order(crystal, forces)
    if (imaginary := imaginary_modes(crystal, settings["mesh"]))[0]:
        answer = stability(harmonic.get_dict(), imaginary)
        told = no_conductivity("cannot-tell", f"no conductivity is claimed: {answer.reason}", harmonic.get_dict())
        return {"summary": Dict(told)}
    others = [transport(crystal, mesh, settings) for mesh in settings["other_meshes"]]
    found = conductivity(transport(crystal, settings["mesh"], settings), others, settings)
    known: dict[str, Any] = {} if reference is None else reference.get_dict()
    summary = summarise_conductivity(found, harmonic.get_dict(), known, settings)
    size = {"n_supercells": len(forces), "n_atoms_supercell": forces.shape[1], "phono3py": version("phono3py")}
    return {"summary": Dict({**summary, **size}), "conductivity": _node(found)}


@calcfunction
def explain_missing_conductivity(harmonic: Dict) -> Dict:
    """Return the summary of a conductivity whose crystal was not relaxed, or whose phonons carry none.

    :param harmonic: the summary of ``crucible.phonon``, or of the relaxation
        (:func:`aiida_crucible.workflows.relax.calcfunctions.summarise_relaxation`).
    """
    said = harmonic.get_dict()
    if "structures" in said:
        reason = f"the crystal could not be relaxed ({said['outcome']}), so that it conducts no heat"
        return Dict(no_conductivity("not-relaxed", reason))
    why = (said.get("verdict") or {}).get("reason") or said.get("reason", "")
    return Dict(no_conductivity(said["outcome"], f"no conductivity is claimed: {why}", said))


def _prepared(structure: StructureData, parameters: Dict, phonons: Dict, force_constants: ArrayData) -> Any:
    matrices = tuple(force_constants.get_array(name) for name in STORED_ARRAYS[1:])
    tolerance = validate_settings(phonons.get_dict())["symmetry_tolerance"]
    settings = validate_conductivity(parameters.get_dict())
    return prepare_third_order(to_atoms(structure), settings, tolerance, (matrices[0], matrices[1]))


def _correction(structure: StructureData, phonons: Dict, force_constants: ArrayData, born: ArrayData) -> Any:
    """Return the non-analytical correction as phonopy has it, made to obey symmetry and the sum rule."""
    settings = validate_settings(phonons.get_dict())
    matrix, primitive = (force_constants.get_array(name) for name in STORED_ARRAYS[1:])
    phonon = build_phonopy(to_atoms(structure), matrix, settings["symmetry_tolerance"], primitive)
    add_born_charges(phonon, born.get_array("charges"), born.get_array("dielectric"))
    return phonon.nac_params


def _node(found: Conductivity) -> ArrayData:
    fine = found.fine
    return ArrayData(
        {
            "temperatures": found.temperatures,
            "conductivity": found.tensor,
            "conductivity_error": found.errors,
            "qpoints": fine.qpoints,
            "weights": fine.weights,
            "frequencies": fine.frequencies,
            "linewidths": fine.linewidths,
        }
    )

"""Phonons with provenance: the supercells to evaluate, and everything that follows from their forces."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import (
    ArrayData,
    BandsData,
    Data,
    Dict,
    KpointsData,
    SinglefileData,
    StructureData,
    TrajectoryData,
    XyData,
)

from aiida_crucible.analysis.phonons.phonon_analysis import (
    Bands,
    BornCharges,
    MeshPhonons,
    PhononAnalysis,
    analyse,
    prepare,
)
from aiida_crucible.analysis.phonons.settings import validate_settings
from aiida_crucible.nodes.force_data import ensemble_forces, force_constants_node
from aiida_crucible.nodes.structures import atoms_to_trajectory, to_atoms

PHONOPY_FILE = "phonopy_params.yaml"

NUMERICS = 2
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


@calcfunction
def displace_supercells(structure: StructureData, parameters: Dict) -> TrajectoryData:
    """Return the supercells of a phonon calculation, the ideal one first, then the displaced ones.

    :param structure: the unit cell.
    :param parameters: see :mod:`aiida_crucible.analysis.phonons.settings`.
    """
    _, plan = prepare(to_atoms(structure), validate_settings(parameters.get_dict()))
    return atoms_to_trajectory(plan.structures())


@calcfunction
def analyse_phonons(
    structure: StructureData, parameters: Dict, properties: ArrayData, born_charges: ArrayData | None = None
) -> dict[str, Data]:
    """Return what the forces of the displaced supercells say of a crystal's phonons.

    :param structure: the unit cell.
    :param parameters: see :mod:`aiida_crucible.analysis.phonons.settings`.
    :param properties: with ``forces``, eV/Å, shape [n_supercells, n_atoms, 3], and of a committee ``ensemble_forces``
        [n_supercells, n_members, n_atoms, 3].
    :param born_charges: with ``charges`` (e, [n_atoms, 3, 3]) and ``dielectric`` ([3, 3]).
    :return: ``summary``, and unless the forces are not finite ``force_constants``, ``phonopy_params``, ``bands``,
        ``mesh``, ``dos`` and ``thermal_properties``; see
        :class:`aiida_crucible.workflows.phonon.workchain.PhononWorkChain`.
    """
    forces = properties.get_array("forces")
    if not np.isfinite(forces).all():
        broken = sorted(set(np.flatnonzero(~np.isfinite(forces).all(axis=(1, 2))).tolist()))
        reason = f"the model gave forces that are no finite numbers in {len(broken)} of {len(forces)} supercells"
        return {"summary": Dict({"outcome": "non-finite", "reason": reason, "supercells": broken})}
    born = None
    if born_charges is not None:
        born = BornCharges(born_charges.get_array("charges"), born_charges.get_array("dielectric"))
    ensemble = ensemble_forces(properties)
    analysis = analyse(to_atoms(structure), validate_settings(parameters.get_dict()), forces, born, ensemble)
    phonon, constants = analysis.phonon, analysis.force_constants
    return {
        "summary": Dict(analysis.summary),
        "force_constants": force_constants_node(constants, phonon.supercell_matrix, phonon.primitive_matrix),
        "phonopy_params": _phonopy_params(analysis),
        "bands": _bands(analysis.bands, phonon.primitive.cell),
        "mesh": _mesh(analysis.mesh),
        "dos": _dos(analysis),
        "thermal_properties": _thermal_properties(analysis),
    }


@calcfunction
def explain_missing_phonons(relaxation: Dict) -> Dict:
    """Return the summary of a phonon calculation whose crystal could not be relaxed.

    :param relaxation: see :func:`aiida_crucible.workflows.relax.calcfunctions.summarise_relaxation`.
    """
    outcome = relaxation["outcome"]
    reason = f"the crystal could not be relaxed ({outcome}), so that it has no phonons"
    return Dict({"outcome": "not-relaxed", "reason": reason, "relaxation": outcome})


def _phonopy_params(analysis: PhononAnalysis) -> SinglefileData:
    """Return what `phonopy.load` reads; force constants are left to it, which takes a fraction of the space."""
    settings = {"force_sets": True, "displacements": True, "force_constants": False, "born_effective_charge": True}
    text = str(analysis.phonon.to_phonopy_yaml(settings={**settings, "dielectric_constant": True}))
    return SinglefileData(io.BytesIO(text.encode()), filename=PHONOPY_FILE)


def _bands(bands: Bands, cell: Any) -> BandsData:
    kpoints = KpointsData()
    kpoints.set_cell(cell)
    kpoints.set_kpoints(bands.qpoints, labels=bands.labels)
    node = BandsData()
    node.set_kpointsdata(kpoints)
    node.set_bands(bands.frequencies, units="THz")
    node.set_array("resolvable", bands.resolvable)
    if bands.spread is not None:
        node.set_array("spread", bands.spread)
    return node


def _mesh(mesh: MeshPhonons) -> ArrayData:
    arrays = {
        "qpoints": mesh.qpoints,
        "weights": mesh.weights,
        "frequencies": mesh.frequencies,
        "resolvable": mesh.resolvable,
        "group_velocities": mesh.group_velocities,
    }
    optional = {"error_bars": mesh.error_bars, "spread": mesh.spread}
    return ArrayData({**arrays, **{name: array for name, array in optional.items() if array is not None}})


def _dos(analysis: PhononAnalysis) -> XyData:
    frequencies, total, parts = analysis.dos
    node = XyData()
    node.set_x(frequencies, "frequency", "THz")
    node.set_y([total, *parts.values()], ["total", *parts], ["1/THz"] * (1 + len(parts)))
    return node


def _thermal_properties(analysis: PhononAnalysis) -> XyData:
    thermal = analysis.thermal
    node = XyData()
    node.set_x(thermal.temperatures, "temperature", "K")
    node.set_y(
        [thermal.free_energy, thermal.entropy, thermal.heat_capacity],
        ["free_energy", "entropy", "heat_capacity"],
        ["eV", "eV/K", "eV/K"],
    )
    return node

"""The quasi-harmonic approximation with provenance: the cells, one supercell for all, and what follows from forces."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, Data, Dict, StructureData

from aiida_crucible.analysis.crystal.cells import chosen_supercell_matrix, formula_units
from aiida_crucible.analysis.phonons.settings import validate_settings
from aiida_crucible.analysis.quasi_harmonic.answers import summarise_heating
from aiida_crucible.analysis.quasi_harmonic.heating import Heating, heat
from aiida_crucible.analysis.quasi_harmonic.settings import (
    expanded_cells,
    length_strains,
    temperatures_of,
    validate_quasi_harmonic,
)
from aiida_crucible.analysis.quasi_harmonic.vibrating_volumes import (
    VibratingVolume,
    unrelaxed_volume,
    vibrating_volume,
)
from aiida_crucible.nodes.structures import from_atoms, to_atoms

NUMERICS = 1
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""

CRYSTAL, FORCES = "crystal_", "forces_"
"""What the names of a volume's nodes begin with."""


def label_of(number: int) -> str:
    """Return the label of a volume, in whose order jobs return what they computed."""
    return f"volume_{number:03d}"


@calcfunction
def expand_crystal(structure: StructureData, parameters: Dict) -> dict[str, StructureData]:
    """Return the crystal at each volume, by label.

    :param structure: at rest.
    :param parameters: see :mod:`aiida_crucible.analysis.quasi_harmonic.settings`.
    """
    cells = expanded_cells(to_atoms(structure), validate_quasi_harmonic(parameters.get_dict()))
    return {label_of(number): from_atoms(cell) for number, cell in enumerate(cells)}


@calcfunction
def settle_supercell(structure: StructureData, phonons: Dict) -> Dict:
    """Return settings of phonons with the supercell matrix that all volumes share: that of the crystal at rest.

    :param phonons: see :mod:`aiida_crucible.analysis.phonons.settings`.
    """
    settings = validate_settings(phonons.get_dict())
    matrix = chosen_supercell_matrix(settings, to_atoms(structure).cell.array)
    return Dict({**settings, "supercell_matrix": matrix.tolist()})


@calcfunction
def heat_crystal(
    structure: StructureData,
    parameters: Dict,
    phonons: Dict,
    *,
    properties: ArrayData,
    results: Dict,
    reference: Dict | None = None,
    **volumes: Data,
) -> dict[str, Data]:
    """Return what the phonons of a crystal at several volumes say of it at constant pressure.

    :param structure: at rest.
    :param parameters: see :mod:`aiida_crucible.analysis.quasi_harmonic.settings`.
    :param phonons: of :func:`settle_supercell`.
    :param properties: of the cells of :func:`expand_crystal`, relaxed, in their order: ``energies`` (eV).
    :param results: of ``crucible.relax``: how the relaxation of each ended.
    :param reference: see :data:`aiida_crucible.analysis.quasi_harmonic.answers.REFERENCE`.
    :param volumes: of each that was relaxed ``crystal_…`` and ``forces_…`` (array ``forces``, eV/Å, of its supercells).
    :return: ``summary`` and, where there is something, ``thermal``, see
        :class:`aiida_crucible.workflows.qha.workchain.QuasiHarmonicWorkChain`.
    """
    settings, of_phonons = validate_quasi_harmonic(parameters.get_dict()), validate_settings(phonons.get_dict())
    ends = results.get_dict()["summary"]["structures"]
    energies, temperatures = properties.get_array("energies"), temperatures_of(of_phonons)
    units = formula_units(to_atoms(structure))
    found: list[VibratingVolume] = []
    for number, strain in enumerate(length_strains(settings).tolist()):
        label = label_of(number)
        if CRYSTAL + label not in volumes:
            end = ends[label]
            found.append(unrelaxed_volume(strain, end["volume"] / units, end["outcome"]))
            continue
        atoms, forces = to_atoms(volumes[CRYSTAL + label]), volumes[FORCES + label].get_array("forces")
        place = (strain, float(energies[number]))
        found.append(vibrating_volume(atoms, place, of_phonons, forces, temperatures))
    heating, why = _heated(found, settings["form"])
    known: dict[str, Any] = {} if reference is None else reference.get_dict()
    summary = summarise_heating(found, (heating, why), of_phonons["max_temperature"], known, settings)
    told = {"summary": Dict({**summary, "formula_units": units})}
    return told if heating is None else {**told, "thermal": _thermal(heating)}


@calcfunction
def explain_missing_heating(relaxation: Dict) -> Dict:
    """Return the summary of a quasi-harmonic calculation whose crystal could not be relaxed.

    :param relaxation: see :func:`aiida_crucible.workflows.relax.calcfunctions.summarise_relaxation`.
    """
    reason = f"the crystal could not be relaxed ({relaxation['outcome']}), so that it cannot be heated"
    return Dict({"outcome": "not-relaxed", "reason": reason})


def _heated(found: list[VibratingVolume], form: str) -> tuple[Heating | None, str]:
    try:
        return heat(found, form), ""
    except ValueError as error:
        return None, str(error)


def _thermal(heating: Heating) -> ArrayData:
    arrays: dict[str, np.ndarray] = {"temperatures": heating.temperatures, **heating.values}
    arrays |= {f"{name}_error": errors for name, errors in heating.errors.items()}
    return ArrayData({**arrays, "volumes": heating.volumes, "free_energies": heating.free_energies})

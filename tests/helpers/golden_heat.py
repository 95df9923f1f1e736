"""The numbers of :mod:`golden_analysis` of heated crystals and of the heat that phonons carry."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from rounding_noise import disturbed

from aiida_crucible.analysis.conductivity.answers import conductivity, summarise_conductivity
from aiida_crucible.analysis.conductivity.settings import validate_conductivity
from aiida_crucible.analysis.conductivity.third_order import (
    displaced_supercells,
    prepare_third_order,
    solve_third_order,
)
from aiida_crucible.analysis.conductivity.transport import transport
from aiida_crucible.analysis.elasticity.equation_of_state import vinet
from aiida_crucible.analysis.phonons.phonon_analysis import prepare, solve
from aiida_crucible.analysis.phonons.settings import validate_settings
from aiida_crucible.analysis.phonons.spectra import ThermalProperties
from aiida_crucible.analysis.quasi_harmonic.answers import summarise_heating
from aiida_crucible.analysis.quasi_harmonic.heating import heat
from aiida_crucible.analysis.quasi_harmonic.settings import length_strains, validate_quasi_harmonic
from aiida_crucible.analysis.quasi_harmonic.vibrating_volumes import VibratingVolume


def heated() -> dict[str, Any]:
    """Return what is said of free energies that are a curve of Vinet's at each temperature, beside a reference.

    Where points are off the curve phonopy's fit ends at a place that rounding chooses, some 1e-6 away.
    """
    settings = validate_quasi_harmonic({"temperature": 600.0})
    temperatures = 150.0 * np.arange(9)
    strains = length_strains(settings)
    places = 11.0 * (1 + strains) ** 3

    def curve(temperature: float) -> np.ndarray:
        shift = temperature / 1000
        modulus = 0.8 - 0.15 * shift
        return vinet(places, np.array([11.0 * (1 + 0.03 * shift + 0.02 * shift**2), -3.0 - 0.4 * shift, modulus, 4.5]))

    free = np.array([curve(temperature) - curve(0.0) for temperature in temperatures])
    entropy = np.array([1e-3 * temperature / 1000 * (1 + 2 * strains) for temperature in temperatures])
    capacity = np.array([2.5e-4 * (1 + strains) * np.tanh(temperature / 200) for temperature in temperatures])
    disturbed_places = zip(strains, disturbed(places), disturbed(curve(0.0)), strict=True)
    volumes = [
        VibratingVolume(
            float(strain), float(volume), float(energy), "stable", "real",
            ThermalProperties(temperatures, disturbed(free[:, i]), disturbed(entropy[:, i]), disturbed(capacity[:, i])),
        )
        for i, (strain, volume, energy) in enumerate(disturbed_places)
    ]  # fmt: skip
    found = heat(volumes, settings["form"])
    said = summarise_heating(volumes, (found, ""), 900.0, {"thermal_expansion": 5e-5, "heat_capacity": 25.0}, settings)
    # Errors are differences of two fits, in which rounding is seen, and words tell them.
    for name in ("errors", "reason", "agreement", "curve"):
        del said[name]
    values = {name: each for name, each in found.values.items() if name != "gruneisen"}
    return {"summary": said, "values": values, "gruneisen": found.values["gruneisen"][1:]}


def carried() -> dict[str, Any]:
    """Return what is said of the heat in copper by EMT, beside a reference.

    Without isotopes, whose scattering phono3py does not average over modes of one frequency.
    """
    given = {"supercell_matrix": [3, 3, 3], "mesh": [7, 7, 7], "other_meshes": [[5, 5, 5]]}
    settings = validate_conductivity({**given, "temperatures": [100.0, 300.0]})
    phonons = validate_settings({"supercell_matrix": [3, 3, 3], "mesh": [4, 4, 4]})
    atoms = bulk("Cu", a=3.59)
    phonon, plan = prepare(atoms, phonons)
    _, constants, harmonic = solve(atoms, phonons, _forces(plan.structures()))
    crystal = prepare_third_order(atoms, settings, 1e-5, (phonon.supercell_matrix, phonon.primitive_matrix))
    crystal.fc2 = constants.values
    solve_third_order(crystal, _forces(displaced_supercells(crystal)))
    fine, other = (transport(crystal, mesh, settings) for mesh in (settings["mesh"], settings["other_meshes"][0]))
    found = conductivity(fine, [other], settings)
    said = summarise_conductivity(found, {"outcome": harmonic["outcome"]}, {"conductivity": 400.0}, settings)
    return {
        "summary": said,
        "tensor": np.diagonal(found.tensor, axis1=1, axis2=2),
        "widths": fine.weights @ fine.linewidths.sum(axis=2).T,
    }


def _forces(cells: list[Any]) -> np.ndarray:
    forces = []
    for cell in cells:
        cell.calc = EMT()
        forces.append(disturbed(cell.get_forces()))
    return np.array(forces)

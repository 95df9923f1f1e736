"""The numbers of :mod:`golden_analysis` of equations of state and elastic tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase.build import bulk
from rounding_noise import disturbed

from aiida_crucible.analysis.elasticity.elastic_tensor import fit_stiffness
from aiida_crucible.analysis.elasticity.settings import validate_elastic, validate_equation_of_state
from aiida_crucible.analysis.elasticity.stability import summarise_elastic
from aiida_crucible.analysis.elasticity.strains import strained_cells, volume_strains
from aiida_crucible.analysis.elasticity.tensors import point_group
from aiida_crucible.analysis.elasticity.volumes import Volumes, fit_volumes, summarise_volumes

NOISE = 0.02
"""GPa, so that no error is rounding alone."""


def compressed() -> dict[str, Any]:
    """Return what is said of energies that are no Birch–Murnaghan curve, beside a reference."""
    settings = validate_equation_of_state({})
    volumes = 46.0 * (1 + volume_strains(settings)) ** 3
    energies = -14.0 + 3.0 * np.log(volumes / 47.0) ** 2 + 0.4 * np.log(volumes / 47.0) ** 4
    pressures = -6.0 * np.log(volumes / 47.0) / volumes * 160.2
    found = Volumes(volumes, disturbed(energies), disturbed(pressures), ["converged"] * len(volumes))
    curve, _ = fitted = fit_volumes(found, settings)
    reference = {"volume": 12.0, "bulk_modulus": 15.0, "bulk_modulus_derivative": 4.0}
    said = summarise_volumes(found, fitted, 4, reference, settings)
    # Differences of two fits, in which rounding is seen.
    for name in ("errors", "range_errors", "fit_errors"):
        del said[name]
    del said["pressure"]["evidence"]["largest_difference"]
    return {"summary": said, "pressures": None if curve is None else curve.pressures(volumes)}


def strained() -> dict[str, Any]:
    """Return what is said of a hexagonal crystal whose stresses have noise, beside a reference."""
    settings = validate_elastic({})
    atoms = bulk("Mg", "hcp", a=3.2, c=5.2)
    rng = np.random.default_rng(5)
    stiffness = rng.normal(0, 4, (6, 6)) + np.diag([160.0, 160, 180, 46, 46, 35])
    stresses = []
    for cell in strained_cells(atoms, settings):
        gradient = np.linalg.solve(atoms.cell.array, cell.cell.array).T
        strain = ((gradient + gradient.T) / 2 - np.eye(3)).ravel()[[0, 4, 8, 5, 2, 1]] * [1, 1, 1, 2, 2, 2]
        stresses.append(stiffness @ strain + 900 * strain**3 + NOISE * rng.normal(size=6))
    found = fit_stiffness(disturbed(np.array(stresses)), settings, point_group(disturbed(atoms), 1e-3))
    reference = {"components": {"C11": 150.0, "C13": 20.0}, "bulk_modulus": 55.0, "poisson_ratio": 0.1}
    said = summarise_elastic(found, reference, settings)
    # The eigenvector of an eigenvalue that comes twice is any of many.
    del said["stability"]["evidence"]["softest_strain"]
    # Neither are the words that name it.
    stability = {**said["stability"], "reason": ""}
    return {"summary": {**said, "reason": "", "stability": stability}, "measured": found.measured}

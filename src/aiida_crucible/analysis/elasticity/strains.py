"""Strained cells: one component of the strain at a time, both signs, several amplitudes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.analysis.elasticity.tensors import PAIRS

Array = NDArray[np.float64]

INFINITESIMAL, LAGRANGIAN, LAGRANGIAN_CAUCHY = "infinitesimal", "lagrangian", "lagrangian-cauchy"
MEASURES = (LAGRANGIAN, LAGRANGIAN_CAUCHY, INFINITESIMAL)
"""Which strain is applied, and the stress that is fitted to it: Green–Lagrange strain with second Piola–Kirchhoff
stress, its partner in the energy; Green–Lagrange strain with the model's Cauchy stress, as pymatgen and matcalc do;
or 1 + ε as the deformation, with Cauchy stress. They differ in what is quadratic in the strain."""


def strain_amplitudes(settings: Mapping[str, Any]) -> list[tuple[int, float]]:
    """Return the strained cells: Voigt component and the size of the tensor's component, in order.

    :param settings: ``normal_strains`` and ``shear_strains``, positive; each is applied with both signs.
    """
    found = []
    for component in range(6):
        sizes = settings["normal_strains"] if component < 3 else settings["shear_strains"]
        found += [(component, sign * size) for size in sorted(sizes) for sign in (-1.0, 1.0)]
    return found


def deformation(component: int, size: float, measure: str) -> Array:
    """Return the deformation gradient F of one strain, x → F x, shape [3, 3].

    Of Green–Lagrange strain it is the upper triangular root of Fᵀ F = 1 + 2 E, as pymatgen takes it.

    :param component: of the strain, Voigt.
    :param size: of the tensor's component: half an engineering shear.
    :param measure: one of :data:`MEASURES`.
    """
    strain = np.zeros((3, 3))
    row, column = PAIRS[component]
    strain[row, column] = strain[column, row] = size
    if measure == INFINITESIMAL:
        return np.asarray(np.eye(3) + strain)
    return np.asarray(np.linalg.cholesky(np.eye(3) + 2 * strain).T)


def deformed(atoms: Atoms, gradient: Array) -> Atoms:
    """Return a crystal whose cell is deformed, and its atoms with it.

    :param gradient: F, [3, 3].
    """
    found = atoms.copy()
    found.set_cell(atoms.cell.array @ gradient.T, scale_atoms=True)
    return found


def strained_cells(atoms: Atoms, settings: Mapping[str, Any]) -> list[Atoms]:
    """Return the crystal as it is, and each strained cell of it, in the order of :func:`strain_amplitudes`."""
    gradients = [deformation(*each, settings["measure"]) for each in strain_amplitudes(settings)]
    return [atoms.copy(), *(deformed(atoms, gradient) for gradient in gradients)]


def volume_strains(settings: Mapping[str, Any]) -> Array:
    """Return the linear strains of an equation of state's cells, ascending, shape [n_points]."""
    largest = settings["largest_strain"]
    return np.linspace(-largest, largest, settings["n_points"])


def scaled_cells(atoms: Atoms, settings: Mapping[str, Any]) -> list[Atoms]:
    """Return the crystal at each volume, its atoms where they are in the cell, see :func:`volume_strains`."""
    return [deformed(atoms, (1 + strain) * np.eye(3)) for strain in volume_strains(settings)]

"""What a space group says of a lattice: which of its parameters are fixed, and how far a measured one is off.

A space group's operations leave the metric tensor G as it is, Wᵀ G W = G (International Tables for Crystallography A,
§1.5.2). The mean of Wᵀ G W over all of them is the nearest lattice that the group allows. What a measured lattice is
off from it is no property of the crystal but an error, of which a run so shows a sample of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from ase.geometry import cell_to_cellpar, cellpar_to_cell
from numpy.typing import NDArray

RATIOS = ("b_over_a", "c_over_a")
ANGLES = ("alpha", "beta", "gamma")
STRAINS = (*RATIOS, *ANGLES)
"""Parameters that tell one shape of a unit cell from another; its volume is apart."""

TRIAL = np.array([[0.03, 0.01, -0.02], [0.01, -0.04, 0.015], [-0.02, 0.015, 0.02]])
"""A strain without symmetry: what a group keeps of it is free."""

FIXED = 1e-9
"""Change, of ratios and in radians, that is rounding and none."""

Array = NDArray[np.float64]


def strain(name: str, value: float, reference: float) -> float:
    """Return by how much a parameter of the lattice differs from its reference, as a strain.

    :param name: one of :data:`STRAINS`.
    :param value: a ratio, or degrees.
    :param reference: in the same unit.
    :return: relative for ratios, radians for angles.
    """
    return float(np.radians(value - reference)) if name in ANGLES else value / reference - 1


def strain_error(name: str, error: float, reference: float) -> float:
    """Return the error of :func:`strain` for the error of the value."""
    return float(np.radians(error)) if name in ANGLES else error / reference


def parameters_of(cell: Array) -> dict[str, float]:
    """Return the parameters of :data:`STRAINS` of a unit cell, rows are vectors."""
    a, b, c, *angles = (float(value) for value in cell_to_cellpar(cell))
    return {"b_over_a": b / a, "c_over_a": c / a, **dict(zip(ANGLES, angles, strict=True))}


def forbidden_strains(
    cell: Array, operations: NDArray[np.int64], matrix: NDArray[np.integer] | None = None
) -> dict[str, float]:
    """Return how far a measured unit cell is off what a space group fixes, by the parameter's name.

    A parameter that the group leaves free is not among them.

    :param cell: the unit cell, rows are vectors, Å, shape [3, 3].
    :param operations: rotations of the group, of fractional coordinates as columns, shape [n, 3, 3].
    :param matrix: ``supercell = matrix @ unit_cell`` where the operations are of a supercell; ``None`` where of the
        unit cell.
    """
    strained = cell @ (np.eye(3) + TRIAL)
    found, trial = (parameters_of(_symmetrised(lattice, operations, matrix)) for lattice in (cell, strained))
    measured = parameters_of(cell)
    fixed = [name for name in STRAINS if abs(strain(name, trial[name], found[name])) < FIXED]
    off = {name: strain(name, measured[name], found[name]) for name in fixed}
    return {name: 0.0 if abs(value) < FIXED else value for name, value in off.items()}


def lattice_from(averages: Mapping[str, float]) -> Array:
    """Return a unit cell of mean lengths and angles ``a`` … ``gamma`` (Å, degrees), rows are vectors."""
    return np.asarray(cellpar_to_cell([averages[name] for name in ("a", "b", "c", *ANGLES)]), dtype=float)


def _symmetrised(cell: Array, operations: NDArray[np.int64], matrix: NDArray[np.integer] | None) -> Array:
    transform = np.eye(3) if matrix is None else np.asarray(matrix, dtype=float)
    metric = transform @ (cell @ cell.T) @ transform.T
    mean = np.einsum("nji,jk,nkl->il", operations, metric, operations) / len(operations)
    back = np.linalg.inv(transform)
    return np.asarray(np.linalg.cholesky(back @ mean @ back.T))

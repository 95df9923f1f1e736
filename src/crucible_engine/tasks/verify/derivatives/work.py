"""Forces and stresses by the energy of long ways, for energies that are too rough for finite differences.

A polynomial through the energies of a way of some tenths of an Å has the slope that steps of some meV leave alone; the
reported values are taken from a polynomial through them as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crucible_engine.families.base import Evaluation
from crucible_engine.tasks.verify.derivatives.differences import VOIGT, Derivatives, Stencil, displaced, strained
from crucible_engine.tasks.verify.evaluator import Evaluator
from crucible_engine.tasks.verify.probes import Probe

POINTS = np.linspace(-1.0, 1.0, 11)
REACH = 0.15
"""Å, rms displacement of a coordinate at the ends of a way."""
STRAIN = 0.04
"""At the ends of a way."""
DIRECTIONS = 4
DEGREE = 4
"""Of the polynomials: bonds are anharmonic on such a way."""


def forces_by_work(
    evaluator: Evaluator, probe: Probe, base: Evaluation, stencil: Stencil, rng: np.random.Generator
) -> Derivatives:
    """Return the forces along random directions of all atoms together.

    :param evaluator: the model.
    :param probe: the structure.
    :param base: not needed, since each way goes through the structure itself.
    :param stencil: not needed, since steps are as long as they can be.
    :param rng: for the directions.
    """
    del base, stencil
    size = 3 * len(probe.atoms)
    directions = rng.normal(size=(DIRECTIONS, size))
    directions *= np.sqrt(size) / np.linalg.norm(directions, axis=1, keepdims=True)
    structures = [displaced(probe.atoms, direction * REACH * point) for direction in directions for point in POINTS]
    table = _table(evaluator(structures, stress=False), DIRECTIONS)
    found = [_fit([item.energy for item in row], REACH) for row in table]
    reported = [
        _fit([float(item.forces.ravel() @ direction) for item in row], REACH)[2]
        for row, direction in zip(table, directions, strict=True)
    ]
    slopes, errors, _ = np.array(found).T
    length = np.sqrt(size)
    return Derivatives(probe, -slopes / length, np.array(reported) / length, errors / length)


def stress_by_work(
    evaluator: Evaluator, probe: Probe, base: Evaluation, stencil: Stencil, rng: np.random.Generator
) -> Derivatives:
    """Return the stress of a crystal; parameters as in :func:`forces_by_work`."""
    del base, stencil, rng
    structures = [strained(probe.atoms, component, STRAIN * point) for component in VOIGT for point in POINTS]
    table = _table(evaluator(structures), len(VOIGT))
    slopes, errors, _ = np.array([_fit([item.energy for item in row], STRAIN) for row in table]).T
    reported = [_fit([float(item.stress[index]) for item in row], STRAIN)[2] for index, row in enumerate(table)]
    volume = abs(probe.atoms.cell.volume)
    return Derivatives(probe, slopes / volume, np.array(reported), errors / volume)


def _table(evaluations: Sequence[Evaluation], rows: int) -> list[list[Evaluation]]:
    return [list(evaluations[row * len(POINTS) : (row + 1) * len(POINTS)]) for row in range(rows)]


def _fit(values: Sequence[float], reach: float) -> tuple[float, float, float]:
    """Return slope, its standard error, and value in the middle of a polynomial through values along a way."""
    if not np.isfinite(values).all():
        return np.nan, np.nan, np.nan
    powers: NDArray[np.float64] = np.vander(POINTS, DEGREE + 1, increasing=True)
    coefficients, *_ = np.linalg.lstsq(powers, np.asarray(values), rcond=None)
    residual = np.asarray(values) - powers @ coefficients
    variance = float(residual @ residual) / (len(POINTS) - DEGREE - 1)
    error = np.sqrt(variance * np.linalg.inv(powers.T @ powers)[1, 1])
    return float(coefficients[1]) / reach, float(error) / reach, float(coefficients[0])

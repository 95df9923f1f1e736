"""The elastic tensor: a polynomial through the stresses of each strain, what the point group allows, and its errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.analysis.elasticity.strains import LAGRANGIAN, deformation, strain_amplitudes
from aiida_crucible.analysis.elasticity.tensors import projector, symmetric_of_voigt, voigt_of_symmetric

Array = NDArray[np.float64]

LINEAR, CUBIC = 1, 3
"""Orders of the polynomial; what is even in the strain leaves the slope at zero as it is."""


@dataclass(frozen=True)
class ElasticTensor:
    """What the stresses of strained cells say, GPa, Voigt, columns are strains.

    :param stiffness: slopes at zero strain, made what the point group allows, [6, 6].
    :param measured: slopes as they were fitted, [6, 6].
    :param errors: of the stiffness: fit, order of the polynomial and symmetry together, [6, 6].
    :param fit_error: largest standard error of a fitted slope.
    :param symmetry_error: largest change of a slope by the symmetry.
    :param order_error: largest difference of a slope from that of a cubic, or where it is a cubic's from that of the
        smallest amplitude alone; NaN where there are too few amplitudes.
    :param nonlinearity: largest difference of the slopes of the smallest and the largest amplitude alone, relative to
        the largest component; 0 with a single amplitude.
    :param stress: of the crystal as it is, [6].
    """

    stiffness: Array
    measured: Array
    errors: Array
    fit_error: float
    symmetry_error: float
    order_error: float
    nonlinearity: float
    stress: Array


def fit_stiffness(stresses: Array, settings: Mapping[str, Any], operations: Array) -> ElasticTensor:
    """Return the elastic tensor.

    :param stresses: Cauchy's, of the cells of :func:`aiida_crucible.analysis.elasticity.strains.strained_cells`,
        GPa, Voigt, positive where the crystal is pulled, [n_cells, 6].
    :param settings: see :mod:`aiida_crucible.analysis.elasticity.settings`.
    :param operations: of the crystal's point group, Cartesian, [n, 3, 3].
    """
    states = strain_amplitudes(settings)
    own_partners = [_partner(*each, settings["measure"]) for each in zip(states, stresses[1:], strict=True)]
    partners = np.array([stresses[0], *own_partners])
    slopes, deviations, cubic, smallest, spread = (np.zeros((6, 6)) for _ in range(5))
    for component in range(6):
        own = [number for number, state in enumerate(states, start=1) if state[0] == component]
        # Engineering shears are twice the tensor's components.
        sizes = np.array([states[number - 1][1] for number in own]) * (1 if component < 3 else 2)
        points, values = np.array([0.0, *sizes]), partners[[0, *own]]
        slopes[:, component], deviations[:, component] = _slopes(points, values, settings["fit_order"])
        has_two = len(own) > 2
        cubic[:, component] = _slopes(points, values, CUBIC)[0] if has_two else np.nan
        smallest[:, component], spread[:, component] = _by_amplitude(points, values)
    allowed = projector(operations)
    stiffness = (allowed @ slopes.ravel()).reshape(6, 6)
    stiffness = (stiffness + stiffness.T) / 2
    # What a straight line misses a cubic shows; what a cubic misses is less than what it corrects.
    order = np.abs(slopes - (cubic if settings["fit_order"] == LINEAR else smallest))
    own_errors = np.sqrt(deviations**2 + np.nan_to_num(order) ** 2 + (slopes - stiffness) ** 2)
    errors = (np.abs(allowed) @ own_errors.ravel()).reshape(6, 6)
    return ElasticTensor(
        stiffness=stiffness,
        measured=slopes,
        errors=(errors + errors.T) / 2,
        fit_error=float(deviations.max()),
        symmetry_error=float(np.abs(slopes - stiffness).max()),
        order_error=float(order.max()),
        nonlinearity=float(np.abs(spread).max() / np.abs(stiffness).max()),
        stress=np.asarray(stresses[0], dtype=float),
    )


def _partner(state: tuple[int, float], stress: Array, measure: str) -> Array:
    """Return the stress that is fitted to a strain: S = J F⁻¹ σ F⁻ᵀ for Green–Lagrange strain, else Cauchy's σ."""
    if measure != LAGRANGIAN:
        return np.asarray(stress, dtype=float)
    gradient = deformation(*state, measure)
    inverse = np.linalg.inv(gradient)
    return voigt_of_symmetric(np.linalg.det(gradient) * inverse @ symmetric_of_voigt(stress) @ inverse.T)


def _slopes(points: Array, values: Array, order: int) -> tuple[Array, Array]:
    """Return the slope at zero of a polynomial through each column, and its standard error; [n_columns] both.

    :param points: strains, [n], more than the order.
    :param values: [n, n_columns].
    """
    powers = np.arange(order + 1)
    scale = float(np.abs(points).max())
    matrix = (points[:, None] / scale) ** powers
    found, *_ = np.linalg.lstsq(matrix, values, rcond=None)
    residual = values - matrix @ found
    variance = (residual**2).sum(axis=0) / (len(points) - len(powers))
    return found[1] / scale, np.sqrt(np.linalg.inv(matrix.T @ matrix)[1, 1] * variance) / scale


def _by_amplitude(points: Array, values: Array) -> tuple[Array, Array]:
    """Return the slopes of the smallest amplitude, and how far from those the largest one's are, [n_columns]."""
    sizes = np.unique(np.abs(points[1:]).round(12))
    slopes = [
        (values[np.isclose(points, size)][0] - values[np.isclose(points, -size)][0]) / (2 * size)
        for size in (sizes[0], sizes[-1])
    ]
    return np.asarray(slopes[0]), np.asarray(slopes[1] - slopes[0])

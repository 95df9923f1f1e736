"""What an observable does over a range of temperatures: a smooth curve, a jump, or a critical power law.

Every model is linear in its coefficients once the transition temperature and the exponent are given, so that its
least misfit is a projection, done for a whole grid of temperatures and exponents at once.

An order parameter enters squared. By Landau's theory η² ∝ (T_c - T)^2β, strains and volume couple to η² and so follow
the same exponent 2β (Landau & Lifshitz, Statistical Physics I, §143-144; Carpenter, Salje & Graeme-Barber, Eur. J.
Mineral. 10, 621 (1998)), and the fluctuations that keep the magnitude of a finite cell's order parameter from
vanishing add to η² as a variance: ⟨η²⟩ - ⟨η⟩² = k_B T χ / V with χ ∝ 1 / |T - T_c| (Landau & Lifshitz, §146), cut off
where the correlation length reaches the cell.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Option = tuple[Array, int]
"""Misfits χ² over a grid, shape [n_grid], and how many coefficients were fitted for it."""

ERROR_FLOOR = 0.003
"""Least standard error of an observable as a share of its span: laws are not truer than that."""

UNEVEN_ERRORS = 0.5
"""Least standard error as a share of the median one: errors from a few blocks are themselves uncertain."""

TAIL_WIDTHS = (0.04, 0.15)
"""Widths of the finite-size tail that are tried, as shares of the range of temperatures."""

EDGE_DISTANCES = (0.005, 0.03, 0.1, 0.3, 1.0)
"""Distances of a critical temperature beyond the range that are tried, as shares of the range."""

EXPONENTS = (0.2, 1.0)
"""Range of 2β: from near the two-dimensional Ising value (β = 1/8) to the classical one (β = 1/2)."""


class Role(str, enum.Enum):
    """What an observable is to a transition."""

    ORDER_PARAMETER = "order-parameter"
    STRAIN = "strain"
    VOLUME = "volume"


@dataclass(frozen=True)
class Series:
    """One observable over temperature, made ready for linear models.

    :param name: of the observable.
    :param role: of the observable.
    :param temperatures: ascending, K, shape [n].
    :param values: the observable, squared if it is an order parameter, around its mean, shape [n].
    :param errors: their standard errors, floored, shape [n].
    """

    name: str
    role: Role
    temperatures: Array
    values: Array
    errors: Array

    def within(self, low: float, high: float) -> Series:
        """Return the part at low ≤ T ≤ high (K)."""
        kept = (self.temperatures >= low) & (self.temperatures <= high)
        return Series(self.name, self.role, self.temperatures[kept], self.values[kept], self.errors[kept])

    def __len__(self) -> int:
        return len(self.temperatures)


def prepare_series(name: str, role: Role, temperatures: Array, values: Array, errors: Array) -> Series:
    """Return an observable with floored errors, squared if it is an order parameter.

    :param temperatures: ascending, K, shape [n].
    :param values: in the observable's unit, shape [n].
    :param errors: standard errors in the same unit, shape [n].
    """
    span = float(np.ptp(values))
    # A constant without error would have no scale at all.
    least = max(
        ERROR_FLOOR * span, UNEVEN_ERRORS * float(np.median(errors)), 1e-9 * float(np.abs(values).max()), 1e-300
    )
    errors = np.sqrt(np.maximum(errors, UNEVEN_ERRORS * np.median(errors)) ** 2 + (ERROR_FLOOR * span) ** 2)
    errors = np.maximum(errors, least)
    if role is Role.ORDER_PARAMETER:
        squares = values**2
        errors = np.sqrt(4 * np.maximum(squares - errors**2, 0.0) * errors**2 + 2 * errors**4)
        values = squares
    return Series(name, role, temperatures, values - values.mean(), errors)


def smooth_options(series: Series) -> list[Option]:
    """Return the misfits without a transition: a polynomial, or a power law or a tail that ends outside the range."""
    t = _scaled(series.temperatures)
    options = _chain(series, [t**0, t, t**2, t**3][: _affordable(len(series))], 1)
    if len(series) < 5:
        return options
    for distance in (0.5 * (1 - t), 0.5 * (1 + t)):
        beyond = distance[None, :] + np.array(EDGE_DISTANCES)[:, None]
        powers = np.linspace(*EXPONENTS, 5)[:, None, None]
        law = (beyond[None] ** powers).reshape(-1, len(t))
        correction = (beyond[None] ** (powers + 1)).reshape(-1, len(t))
        # The place and the exponent were chosen among many: two coefficients more.
        for misfit, count in _chain(series, [np.ones_like(t), law, correction][: _affordable(len(series) - 2)], 2):
            options.append((misfit.min(keepdims=True), count + 2))
        tail = np.array([_tail(distance, width) for width in TAIL_WIDTHS])
        options += [(misfit.min(keepdims=True), count + 1) for misfit, count in _chain(series, [t**0, tail], 2)]
    return options


def jump_options(series: Series, boundaries: Array) -> list[Option]:
    """Return the misfits of two independent smooth curves, or of two that differ by a step, split at boundaries.

    :param boundaries: K, shape [n_grid].
    """
    t = _scaled(series.temperatures)
    edges = (boundaries - series.temperatures.min()) / max(float(np.ptp(series.temperatures)), 1e-12)
    above = series.temperatures[None, :] > boundaries[:, None]
    left, right = (_side_options(series, t, edges, side) for side in (~above, above))
    options = [(a + b, m + n) for a, m in left for b, n in right]
    return options + _chain(series, [t**0, above.astype(float), t, t**2], 2)


def continuous_options(series: Series, critical: Array, exponents: Array, ordered_below: Array) -> list[Option]:
    """Return the misfits of critical power laws x^2β (1 + b x) on a background, x the distance into the ordered phase.

    :param critical: critical temperatures, K, shape [n_grid].
    :param exponents: 2β, shape [n_grid].
    :param ordered_below: whether the ordered phase is the one at low temperature, shape [n_grid].
    """
    span = max(float(np.ptp(series.temperatures)), 1e-12)
    away = (critical[:, None] - series.temperatures[None, :]) / span
    inside = np.maximum(np.where(ordered_below[:, None], away, -away), 0.0)
    law = np.where(inside > 0, np.maximum(inside, 1e-12) ** exponents[:, None], 0.0)
    correction = inside * law
    t = _scaled(series.temperatures)
    if series.role is Role.VOLUME:
        options = _chain(series, [t**0, t, law, t**2, correction], 3)
    else:
        options = _chain(series, [t**0, law, correction], 2)
        options += _chain(series, [t**0, law, t, correction], 3)
        for width in TAIL_WIDTHS:
            options += _chain(series, [t**0, law, _tail(np.abs(away), width), correction], 3)
    if series.role is Role.ORDER_PARAMETER:
        # A square does not fall below that of the disordered phase.
        reversed_ = _step_sign(series, inside > 0) < 0
        options = [(np.where(reversed_, np.inf, misfit), count) for misfit, count in options]
    return options


def scores(options: Sequence[Option], n_points: int, variance_scale: float = 1.0) -> Array:
    """Return -2 ln of the summed evidence of options, each by its BIC, shape [n_grid].

    BIC = χ² + k ln n for known errors (Schwarz, Ann. Statist. 6, 461 (1978)); the evidence of a model is
    exp(-BIC / 2) (Kass & Raftery, J. Am. Stat. Assoc. 90, 773 (1995), eq. 9).

    :param n_points: of the series that the options fit.
    :param variance_scale: by which the squared errors are too small.
    """
    penalty = np.log(max(n_points, 2))
    criteria = np.array(np.broadcast_arrays(*(misfit / variance_scale + count * penalty for misfit, count in options)))
    return soft_minimum(criteria, axis=0)


def soft_minimum(criteria: Array, axis: int | None = None) -> Array:
    """Return -2 ln Σ exp(-c / 2) along an axis, or over all."""
    least = np.min(criteria, axis=axis, keepdims=True)
    safe = np.where(np.isfinite(least), least, 0.0)
    with np.errstate(divide="ignore"):
        total = -2 * np.log(np.sum(np.exp(-0.5 * (criteria - safe)), axis=axis, keepdims=True)) + safe
    return np.asarray(np.squeeze(total, axis=axis))


def _side_options(series: Series, t: Array, edges: Array, side: NDArray[np.bool_]) -> list[Option]:
    """Return misfits of a polynomial, or of a constant with a tail, on the points of one side of each boundary.

    A side of n points gets n - 1 coefficients at most, so that some point can speak against it.
    """
    mask = side.astype(float)
    counts = side.sum(axis=1)
    weighted = np.where(side, (series.values / series.errors)[None, :], 0.0)
    options = []
    for coefficients, misfit in enumerate(_nested(series, [mask, mask * t, mask * t**2, mask * t**3], weighted), 1):
        allowed = (counts >= 1) if coefficients == 1 else (counts > coefficients + (coefficients > 3))
        options.append((np.where(allowed, misfit, np.inf), coefficients))
    for width in TAIL_WIDTHS:
        tail = mask * _tail(np.abs(0.5 * (t + 1) - edges[:, None]), width)
        misfit = _nested(series, [mask, tail], weighted)[1]
        options.append((np.where(counts > 3, misfit, np.inf), 3))
    return options


def _chain(series: Series, columns: Sequence[Array], least: int) -> list[Option]:
    """Return misfits of the first `least`, `least` + 1 … of the columns."""
    return [
        (misfit, count)
        for count, misfit in enumerate(_nested(series, columns, (series.values / series.errors)[None, :]), 1)
        if count >= least
    ]


def _nested(series: Series, columns: Sequence[Array], weighted: Array) -> list[Array]:
    """Return χ² [n_grid] of the first column, the first two, … by modified Gram-Schmidt (Golub & Van Loan, §5.2.8)."""
    residual = weighted
    basis: list[Array] = []
    misfits = []
    for column in columns:
        vector = np.atleast_2d(column) / series.errors
        size = np.sum(vector**2, axis=-1, keepdims=True)
        for known in basis:
            vector = vector - np.sum(vector * known, axis=-1, keepdims=True) * known
        left = np.sum(vector**2, axis=-1, keepdims=True)
        # What is left of a column that the others span is rounding.
        usable = left > 1e-10 * size
        vector = np.where(usable, vector / np.sqrt(np.where(usable, left, 1.0)), 0.0)
        basis.append(vector)
        residual = residual - np.sum(residual * vector, axis=-1, keepdims=True) * vector
        misfits.append(np.sum(residual**2, axis=-1))
    return misfits


def _step_sign(series: Series, inside: NDArray[np.bool_]) -> Array:
    weights = 1 / series.errors**2

    def mean(chosen: NDArray[np.bool_]) -> Array:
        total = np.sum(np.where(chosen, weights, 0.0), axis=-1)
        return np.asarray(np.sum(np.where(chosen, weights * series.values, 0.0), axis=-1) / np.maximum(total, 1e-300))

    return mean(inside) - mean(~inside)


def _affordable(n_points: int) -> int:
    """Return how many coefficients so many points can pay for: one less than there are, four at most."""
    return int(np.clip(n_points - 1 - (n_points <= 5), 1, 4))


def _scaled(temperatures: Array) -> Array:
    """Return temperatures mapped onto [-1, 1]."""
    span = max(float(np.ptp(temperatures)), 1e-12)
    return np.asarray(2 * (temperatures - temperatures.min()) / span - 1)


def _tail(distance: Array, width: float) -> Array:
    return np.asarray(1 / (1 + distance / width))

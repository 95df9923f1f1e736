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

ERROR_FLOOR = 0.005
"""Least standard error of an observable as a share of its span: laws are not truer than that."""

UNEVEN_ERRORS = 0.5
"""Least standard error as a share of the median one: errors from a few blocks are themselves uncertain."""

TAIL_WIDTHS = (0.04, 0.15)
"""Widths of the finite-size tail that are tried, as shares of the range of temperatures."""

EDGE_DISTANCES = (0.005, 0.03, 0.1, 0.3, 1.0)
"""Distances of a critical temperature beyond the range that are tried, as shares of the range."""

LEAST_JUMP = 0.1
"""Least height of a jump as a share of the observable's span (η², that is): a lower one cannot be told from none."""

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


def jump_options(series: Series, lower: Array, upper: Array) -> list[Option]:
    """Return the misfits of two smooth curves, independent or a step apart, that part between neighbouring runs.

    Curves that come nearer to each other between the two runs than LEAST_JUMP of the observable's span make no jump. A
    volume may jump as little as it likes: most of its span is expansion.

    :param lower: the last temperature of the lower curve, K, shape [n_grid].
    :param upper: the first temperature of the upper curve, K, shape [n_grid].
    """
    t, ends = _scaled(series.temperatures), np.stack([lower, upper], axis=1)
    span = max(float(np.ptp(series.temperatures)), 1e-12)
    ends = 2 * (ends - series.temperatures.min()) / span - 1
    boundary = ends.mean(axis=1, keepdims=True)
    above = t[None, :] > boundary
    least = 0.0 if series.role is Role.VOLUME else LEAST_JUMP * float(np.ptp(series.values))
    options = []
    right = _side_curves(series, t, boundary, ends, above)
    for below_misfit, below_count, below_ends in _side_curves(series, t, boundary, ends, ~above):
        for misfit, count, curve_ends in right:
            apart = curve_ends - below_ends
            height = np.where(np.prod(apart, axis=1) > 0, np.abs(apart).min(axis=1), 0.0)
            options.append((np.where(height >= least, below_misfit + misfit, np.inf), below_count + count))
    step = [t**0, above.astype(float), t, t**2]
    at = [boundary**0 * [1, 1], boundary**0 * [0, 1], boundary * [1, 1], boundary**2 * [1, 1]]
    for count, (misfit, sides) in enumerate(_nested(series, step, series.values[None, :], at), 1):
        if count > 1:
            options.append((np.where(np.abs(np.diff(sides)[:, 0]) >= least, misfit, np.inf), count))
    return options


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
        options = _chain(series, [t**0, law, correction, inside * correction], 2)
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


def _side_curves(
    series: Series, t: Array, boundary: Array, ends: Array, side: NDArray[np.bool_]
) -> list[tuple[Array, int, Array]]:
    """Return misfit, coefficients and values at the ends of the step of the curves on one side of each boundary.

    The curves are polynomials and, for an order parameter, a constant with a tail. A side of n points pays for n - 1
    coefficients, so that some point can speak against it; three points may lie on a parabola.
    """
    mask = side.astype(float)
    counts = side.sum(axis=1)
    values = mask * series.values
    curves = []
    powers = [mask * t**power for power in range(4)]
    at = [ends**power for power in range(4)]
    for coefficients, (misfit, there) in enumerate(_nested(series, powers, values, at), 1):
        allowed = counts >= (1, 3, 3, 6)[coefficients - 1]
        curves.append((np.where(allowed, misfit, np.inf), coefficients, there))
    if series.role is not Role.ORDER_PARAMETER:
        return curves
    for width in TAIL_WIDTHS:
        tail, near = (_tail(0.5 * np.abs(place - boundary), width) for place in (t[None, :], ends))
        (_, mean), (misfit, there) = _nested(series, [mask, mask * tail], values, [at[0], near])
        # Fluctuations grow towards the transition; a fall would be an order parameter's own.
        allowed = (counts > 3) & (there[:, 0] > mean[:, 0])
        curves.append((np.where(allowed, misfit, np.inf), 3, there))
    return curves


def _chain(series: Series, columns: Sequence[Array], least: int) -> list[Option]:
    """Return misfits of the first `least`, `least` + 1 … of the columns."""
    fits = enumerate(_nested(series, columns, series.values[None, :]), 1)
    return [(misfit, count) for count, (misfit, _) in fits if count >= least]


def _nested(
    series: Series, columns: Sequence[Array], values: Array, at: Sequence[Array] = ()
) -> list[tuple[Array, Array]]:
    """Return χ² [n_grid] and fitted values elsewhere [n_grid, n_elsewhere] of the first column, the first two, ….

    Modified Gram-Schmidt (Golub & Van Loan, Matrix Computations, §5.2.8); the columns' values elsewhere go through the
    same steps as the columns.

    :param columns: each of shape [n] or [n_grid, n].
    :param values: to fit, [n_grid, n].
    :param at: the columns' values elsewhere, each of shape [n_grid, n_elsewhere]; none by default.
    """
    residual = values / series.errors
    basis: list[tuple[Array, Array]] = []
    fits = []
    fitted = np.zeros((1, 1))
    for index, column in enumerate(columns):
        vector = np.atleast_2d(column) / series.errors
        there = at[index] if at else np.zeros((1, 1))
        size = _dot(vector, vector)
        for known, known_there in basis:
            share = _dot(vector, known)
            vector, there = vector - share * known, there - share * known_there
        remaining = _dot(vector, vector)
        # What remains of a column that the others span is rounding.
        usable = remaining > 1e-10 * size
        scale = np.where(usable, 1 / np.sqrt(np.where(usable, remaining, 1.0)), 0.0)
        vector, there = vector * scale, there * scale
        basis.append((vector, there))
        share = _dot(residual, vector)
        residual, fitted = residual - share * vector, fitted + share * there
        fits.append((_dot(residual, residual)[:, 0], fitted))
    return fits


def _dot(one: Array, two: Array) -> Array:
    return np.asarray(np.einsum("gn,gn->g", one, two)[:, None])


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

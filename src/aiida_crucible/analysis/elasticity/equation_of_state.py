"""Equation of state: a curve of energy against volume, fitted by least squares, with the errors of its parameters.

Two errors are told apart and added in quadrature: that of the fit, from how far the points are off the curve, and that
of the range. Energies that no curve of the form has move a parameter by what grows with the square of the range of
volumes; so much is told by how it changes where the smallest and the largest volume are left out, however smooth the
energies are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import units
from numpy.typing import NDArray
from scipy.optimize import least_squares

Array = NDArray[np.float64]

NAMES = ("volume", "energy", "bulk_modulus", "derivative")
"""Parameters of a curve: Å³ and eV of a cell, GPa, a number."""

FEWEST = 6
"""Points from which the four parameters and an error follow."""

VOLUME_STEP = 1e-5
"""Relative change of a volume by which a curve is differentiated."""


@dataclass(frozen=True)
class EquationOfState:
    """A fitted curve.

    :param form: a key of :data:`FORMS`.
    :param values: by the names of :data:`NAMES`: volume (Å³ a cell) and energy (eV a cell) of the minimum, bulk modulus
        there (GPa) and its derivative with respect to pressure.
    :param fit_errors: standard errors of the fit, by the same names.
    :param range_errors: by what the form of the curve is off, told by the fit without the outermost volumes, likewise;
        NaN where too few are left.
    :param residual: root mean square distance of the points from the curve, eV.
    """

    form: str
    values: dict[str, float]
    fit_errors: dict[str, float]
    range_errors: dict[str, float]
    residual: float

    @property
    def errors(self) -> dict[str, float]:
        """Both errors together, by the names of :data:`NAMES`."""
        return {name: float(np.hypot(self.fit_errors[name], self.range_errors[name])) for name in NAMES}

    def energies(self, volumes: Array) -> Array:
        """Return the energies (eV) of the curve at volumes (Å³), same shape."""
        return FORMS[self.form](np.asarray(volumes, dtype=float), _natural(self.values))

    def pressures(self, volumes: Array) -> Array:
        """Return the pressures of the curve, -dE/dV, at volumes (Å³), GPa, same shape."""
        volumes = np.asarray(volumes, dtype=float)
        step = VOLUME_STEP * volumes
        slopes = (self.energies(volumes + step) - self.energies(volumes - step)) / (2 * step)
        return np.asarray(-slopes / units.GPa)


def birch_murnaghan(volumes: Array, parameters: Array) -> Array:
    """Return energies of the third-order Birch–Murnaghan equation, eV.

    F. Birch, Phys. Rev. 71, 809 (1947), integrated over the volume:
    E = E₀ + 9 V₀ B₀/16 {(x - 1)³ B₀' + (x - 1)² (6 - 4 x)} with x = (V₀/V)^(2/3).

    :param volumes: Å³.
    :param parameters: V₀ (Å³), E₀ (eV), B₀ (eV/Å³), B₀'.
    """
    volume, energy, modulus, derivative = parameters
    x = (volume / volumes) ** (2 / 3)
    return np.asarray(energy + 9 * volume * modulus / 16 * ((x - 1) ** 3 * derivative + (x - 1) ** 2 * (6 - 4 * x)))


def vinet(volumes: Array, parameters: Array) -> Array:
    """Return energies of Vinet's universal equation, eV.

    P. Vinet, J. Ferrante, J. R. Smith and J. H. Rose, J. Phys. C 19, L467 (1986), integrated over the volume:
    E = E₀ + 2 B₀ V₀/(B₀' - 1)² {2 - [5 + 3 B₀' (η - 1) - 3 η] exp(-3/2 (B₀' - 1)(η - 1))} with η = (V/V₀)^(1/3).

    :param volumes: Å³.
    :param parameters: V₀ (Å³), E₀ (eV), B₀ (eV/Å³), B₀' (not 1).
    """
    volume, energy, modulus, derivative = parameters
    eta = (volumes / volume) ** (1 / 3)
    bracket = 5 + 3 * derivative * (eta - 1) - 3 * eta
    decay = np.exp(-1.5 * (derivative - 1) * (eta - 1))
    return np.asarray(energy + 2 * modulus * volume / (derivative - 1) ** 2 * (2 - bracket * decay))


FORMS: dict[str, Callable[[Array, Array], Array]] = {"birch-murnaghan": birch_murnaghan, "vinet": vinet}


def fit_curve(volumes: Array, energies: Array, form: str) -> EquationOfState:
    """Return the curve through points.

    :param volumes: Å³ a cell, in any order, [n].
    :param energies: eV a cell, [n].
    :param form: a key of :data:`FORMS`.
    :raises ValueError: one line, if there are fewer than :data:`FEWEST` points, their lowest energy is at an end of the
        volumes, or the curve has no minimum among them.
    """
    order = np.argsort(volumes)
    volumes, energies = np.asarray(volumes, dtype=float)[order], np.asarray(energies, dtype=float)[order]
    if len(volumes) < FEWEST:
        raise ValueError(f"there are {len(volumes)} energies, and a curve takes {FEWEST} at least")
    lowest = int(np.argmin(energies))
    if lowest in (0, len(volumes) - 1):
        end = "smallest" if lowest == 0 else "largest"
        raise ValueError(f"the lowest energy is at the {end} volume, {volumes[lowest]:.4g} Å³: the minimum is outside")
    values, errors, residual = _fit(volumes, energies, form)
    changes = dict.fromkeys(NAMES, float("nan"))
    if len(volumes) - 2 >= FEWEST and 1 < lowest < len(volumes) - 2:
        inner, _, _ = _fit(volumes[1:-1], energies[1:-1], form)
        share = 1 - (np.ptp(volumes[1:-1]) / np.ptp(volumes)) ** 2
        changes = {name: float(abs(inner[name] - values[name]) / share) for name in NAMES}
    return EquationOfState(form, values, errors, changes, residual)


def _fit(volumes: Array, energies: Array, form: str) -> tuple[dict[str, float], dict[str, float], float]:
    """Return parameters, their standard errors and the residual, in the units of :class:`EquationOfState`."""
    start = _start(volumes, energies)
    # Whatever the size of the cell and the depth of the curve, the parameters that are fitted are of the order of one.
    depth = float(np.ptp(energies))
    scales = np.array([start[0], depth, start[2], max(abs(start[3]), 1.0)])
    curve = FORMS[form]

    def residuals(scaled: Array) -> Array:
        return np.asarray((curve(volumes, start + scaled * scales) - energies) / depth)

    def jacobian(scaled: Array) -> Array:
        # The derivative of an analytic function to the last digit: W. Squire and G. Trapp, SIAM Rev. 40, 110 (1998).
        steps = scaled + 1e-30j * np.eye(4)
        return np.array([curve(volumes, start + step * scales).imag for step in steps]).T / 1e-30 / depth

    tight = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15}
    found: Any = least_squares(residuals, np.zeros(4), jacobian, method="lm", **tight)
    parameters = start + found.x * scales
    if not (np.isfinite(parameters).all() and volumes[0] < parameters[0] < volumes[-1] and parameters[2] > 0):
        raise ValueError("the curve through the energies has no minimum among the volumes")
    residual = found.fun * depth
    variance = float(residual @ residual) / (len(volumes) - 4) / depth**2
    covariance = np.linalg.pinv(found.jac.T @ found.jac) * variance
    errors = np.sqrt(np.diag(covariance)) * scales
    factors = np.array([1.0, 1.0, 1 / units.GPa, 1.0])
    named = [dict(zip(NAMES, (each * factors).tolist(), strict=True)) for each in (parameters, errors)]
    return named[0], named[1], float(np.sqrt(np.mean(residual**2)))


def _start(volumes: Array, energies: Array) -> Array:
    """Return V₀, E₀, B₀, B₀' of the cubic in V^(-2/3), which is the Birch–Murnaghan curve itself.

    :raises ValueError: one line, if it has no minimum among the volumes.
    """
    middle = float(np.mean(volumes))
    coordinate = (middle / volumes) ** (2 / 3)
    cubic = np.polynomial.Polynomial.fit(coordinate, energies, 3)
    slope, curvature, third = (cubic.deriv(order) for order in (1, 2, 3))
    minima = [
        float(root.real)
        for root in slope.roots()
        if abs(root.imag) < 1e-12 and coordinate[-1] < root.real < coordinate[0] and curvature(root.real) > 0
    ]
    if not minima:
        raise ValueError("the curve through the energies has no minimum among the volumes")
    x = minima[0]
    volume = middle / x**1.5
    # With E as a function of x: V² E″(V) = (4/9) x² E_xx at the minimum, and B₀' follows from E_xxx there.
    bent, twisted = float(curvature(x)), float(third(x))
    modulus = 4 / 9 * x**2 * bent / volume
    derivative = 4.0 + 2 / 3 * x * twisted / bent
    return np.array([volume, float(cubic(x)), modulus, derivative])


def _natural(values: dict[str, float]) -> Array:
    return np.array([values["volume"], values["energy"], values["bulk_modulus"] * units.GPa, values["derivative"]])

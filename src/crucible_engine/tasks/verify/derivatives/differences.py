"""Forces and stresses as derivatives of a model's own energy: by finite differences, or by the work along long ways.

Five-point central differences, ``f' = (f(-2h) - 8 f(-h) + 8 f(h) - f(2h)) / 12h``, whose error is of order h⁴; the
difference to the three-point formula tells how far they can be trusted. For energies that are too rough for them, a
polynomial through the energies of a way of some tenths of an Å has the slope that steps of some meV leave alone; the
reported values are taken from a polynomial through them as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from crucible_engine.families.base import Evaluation
from crucible_engine.tasks.verify.evaluator import Evaluator
from crucible_engine.tasks.verify.probes import Probe

POINTS = (-2, -1, 1, 2)
STEP_PER_NOISE = 0.2
"""Å eV^(-1/5): the step in which the energy's noise δ and the truncation error h⁴ are about equal, h ∝ δ^(1/5), for
energies that change on the length of a bond."""
STEP_RANGE = (5e-4, 0.03)
"""Å."""
STRAIN_PER_STEP = 0.4
"""Strain that moves neighbours about as much as a displacement, in 1/Å."""
DIRECTIONS = 6
"""Force components that are differentiated; random directions, where there are more components than these."""

ROUGH = 0.1
"""Estimated error of a derivative, relative to a typical one, beyond which the energy has a jump or a kink there."""

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))

WAY = np.linspace(-1.0, 1.0, 11)

REACH = 0.15
"""Å, rms displacement of a coordinate at the ends of a way."""

LARGEST_STRAIN = 0.04
"""At the ends of a way."""

WAYS = 4

DEGREE = 4
"""Of the polynomials: bonds are anharmonic on such a way."""


@dataclass(frozen=True)
class Derivatives:
    """Numerical derivatives beside what the model reports for them.

    :param numerical: forces along the directions, as large as a typical component (eV/Å), or the stress in Voigt order
        (eV/Å³); shape [n].
    :param reported: the model's, shape [n].
    :param error: estimated error of the numerical ones, shape [n].
    :param curl: of forces: antisymmetric part of their Jacobian, relative to all of it; NaN for stresses.
    """

    probe: Probe
    numerical: NDArray[np.float64]
    reported: NDArray[np.float64]
    error: NDArray[np.float64]
    curl: float = float("nan")

    @property
    def are_rough(self) -> bool:
        """Whether the energy jumps, or is too noisy, along some direction."""
        return bool((self.error > ROUGH * np.median(np.abs(self.numerical))).any())

    @property
    def are_telling(self) -> bool:
        """Whether there is anything beyond the error: symmetry leaves no forces on the only atom of a cell."""
        return bool(np.abs([self.numerical, self.reported]).max(axis=0).max() > self.error.max())


@dataclass(frozen=True)
class Stencil:
    """How to differentiate energies that have a noise.

    :param noise: standard deviation of the energies, eV.
    """

    noise: float

    @property
    def step(self) -> float:
        """Displacement of an atom, Å."""
        return float(np.clip(STEP_PER_NOISE * self.noise**0.2, *STEP_RANGE))

    @property
    def strain(self) -> float:
        """Strain that moves neighbours as much."""
        return STRAIN_PER_STEP * self.step

    def slopes(self, energies: Sequence[float], step: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return derivatives and their estimated errors.

        :param energies: at :data:`POINTS`, for one direction after the other.
        :param step: of the points.
        """
        far_below, below, above, far_above = np.array(energies).reshape(-1, len(POINTS)).T
        narrow = (above - below) / (2 * step)
        wide = (far_above - far_below) / (4 * step)
        slope = (4 * narrow - wide) / 3
        return slope, np.abs(slope - narrow) + self.noise / step


def differentiate_forces(
    evaluator: Evaluator, probe: Probe, base: Evaluation, stencil: Stencil, rng: np.random.Generator
) -> Derivatives:
    """Return the numerical forces of a structure along each coordinate, or along random directions of all together."""
    step, size = stencil.step, 3 * len(probe.atoms)
    few = size <= DIRECTIONS
    directions = np.eye(size) if few else rng.normal(size=(DIRECTIONS, size))
    length = 1.0 if few else np.sqrt(size)
    moved = [displaced(probe.atoms, direction * step * point) for direction in directions for point in POINTS]
    evaluations = evaluator(moved, stress=False)
    slope, error = stencil.slopes([item.energy for item in evaluations], step)
    forces = np.array([item.forces.ravel() for item in evaluations]).reshape(len(directions), len(POINTS), size)
    # Rows: derivative of all forces along one direction; projected on the directions this is symmetric for a gradient.
    jacobian = (forces[:, 2] - forces[:, 1]) @ directions.T / (2 * step)
    curl = np.linalg.norm(jacobian - jacobian.T) / (2 * np.linalg.norm(jacobian) or 1.0)
    return Derivatives(probe, -slope / length, directions @ base.forces.ravel() / length, error / length, float(curl))


def differentiate_stress(
    evaluator: Evaluator, probe: Probe, base: Evaluation, stencil: Stencil, rng: np.random.Generator
) -> Derivatives:
    """Return the numerical stress of a crystal, ``(1/V) dE/dε`` for each symmetric strain.

    Each strain is taken, so that ``rng`` is not needed.
    """
    del rng
    strain = stencil.strain
    structures = [strained(probe.atoms, component, strain * point) for component in VOIGT for point in POINTS]
    slope, error = stencil.slopes([item.energy for item in evaluator(structures, stress=False)], strain)
    volume = abs(probe.atoms.cell.volume)
    return Derivatives(probe, slope / volume, np.array(base.stress), error / volume)


def integrals(slopes: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Return the integral of a derivative over each interval between equidistant points, shape [n - 1].

    By the trapezoidal rule with the Euler-Maclaurin correction ``-h²/12 (f'(b) - f'(a))``.

    :param slopes: the derivative f at the points, shape [n].
    :param step: h, the distance of the points.
    """
    return np.asarray(step / 2 * (slopes[1:] + slopes[:-1]) - step**2 / 12 * np.diff(np.gradient(slopes, step)))


def displaced(atoms: Atoms, displacement: NDArray[np.float64]) -> Atoms:
    """Return a structure with its atoms moved, by Å in the order of their coordinates, shape [3 n_atoms]."""
    moved = atoms.copy()
    moved.positions += displacement.reshape(-1, 3)
    return moved


def strained(atoms: Atoms, component: tuple[int, int], amount: float) -> Atoms:
    """Return a crystal under a symmetric strain of one Voigt component."""
    deformation = np.eye(3)
    row, column = component
    deformation[row, column] += amount / 2
    deformation[column, row] += amount / 2
    changed = atoms.copy()
    changed.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
    return changed


def forces_by_work(
    evaluator: Evaluator, probe: Probe, base: Evaluation, stencil: Stencil, rng: np.random.Generator
) -> Derivatives:
    """Return the forces along random directions of all atoms together.

    Each way goes through the structure itself, and steps are as long as they can be: ``base`` and ``stencil`` are not
    needed.
    """
    del base, stencil
    size = 3 * len(probe.atoms)
    directions = rng.normal(size=(WAYS, size))
    directions *= np.sqrt(size) / np.linalg.norm(directions, axis=1, keepdims=True)
    structures = [displaced(probe.atoms, direction * REACH * point) for direction in directions for point in WAY]
    table = _table(evaluator(structures, stress=False), WAYS)
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
    """Return the stress of a crystal along ways of strain."""
    del base, stencil, rng
    structures = [strained(probe.atoms, component, LARGEST_STRAIN * point) for component in VOIGT for point in WAY]
    table = _table(evaluator(structures), len(VOIGT))
    slopes, errors, _ = np.array([_fit([item.energy for item in row], LARGEST_STRAIN) for row in table]).T
    reported = [_fit([float(item.stress[index]) for item in row], LARGEST_STRAIN)[2] for index, row in enumerate(table)]
    volume = abs(probe.atoms.cell.volume)
    return Derivatives(probe, slopes / volume, np.array(reported), errors / volume)


def _table(evaluations: Sequence[Evaluation], rows: int) -> list[list[Evaluation]]:
    return [list(evaluations[row * len(WAY) : (row + 1) * len(WAY)]) for row in range(rows)]


def _fit(values: Sequence[float], reach: float) -> tuple[float, float, float]:
    """Return slope, its standard error, and value in the middle of a polynomial through values along a way."""
    if not np.isfinite(values).all():
        return np.nan, np.nan, np.nan
    powers: NDArray[np.float64] = np.vander(WAY, DEGREE + 1, increasing=True)
    coefficients, *_ = np.linalg.lstsq(powers, np.asarray(values), rcond=None)
    residual = np.asarray(values) - powers @ coefficients
    variance = float(residual @ residual) / (len(WAY) - DEGREE - 1)
    error = np.sqrt(variance * np.linalg.inv(powers.T @ powers)[1, 1])
    return float(coefficients[1]) / reach, float(error) / reach, float(coefficients[0])

"""Whether the energy jumps when neighbours come within a cutoff, which no derivative at a single geometry shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crucible_engine.families.base import Evaluation
from crucible_engine.tasks.verify.check import Check, measured
from crucible_engine.tasks.verify.evaluator import Evaluator
from crucible_engine.tasks.verify.precision import Precision
from crucible_engine.tasks.verify.probes import Probe

STRETCHES = np.linspace(0.94, 1.08, 29)
"""Factors of the lattice vectors: shells of neighbours as far as 6 Å move by 0.8 Å, and some come or go."""
LARGEST_JUMP = 5e-4
"""eV/atom. What the integration leaves is 6e-5 with CHGNet 0.3.0, and 1e-6 to 1e-5 with SevenNet, EMT and orb-v3."""
NAME = "continuity"


def check_continuity(evaluator: Evaluator, probe: Probe, precision: Precision) -> Check:
    """Check that the energy of a crystal changes by the integral of its pressure when the lattice is stretched.

    ``dE/ds = V (xx + yy + zz) / s`` with the stress' components at the stretch ``s``, integrated between neighbouring
    stretches by the trapezoidal rule with the Euler-Maclaurin correction ``-h²/12 (E''(b) - E''(a))``.

    :param evaluator: a model whose stress is the derivative of its energy.
    :param probe: a crystal.
    :param precision: what may differ.
    """
    stretched = [probe.atoms.copy() for _ in STRETCHES]
    for atoms, stretch in zip(stretched, STRETCHES, strict=True):
        atoms.set_cell(atoms.cell.array * stretch, scale_atoms=True)
    evaluations = evaluator(stretched)
    residuals = np.abs(_energy_steps(evaluations) - _integrals(evaluations, abs(probe.atoms.cell.volume)))
    residuals /= len(probe.atoms)
    largest = int(np.argmax(residuals))
    allowed = LARGEST_JUMP + precision.tolerance(evaluations).energy
    message = (
        f"stretched by {STRETCHES[0]:.2f} to {STRETCHES[-1]:.2f}, the energy differs from the integral of its stress "
        f"by {residuals[largest]:.1e} eV/atom at most, near {STRETCHES[largest]:.3f}"
    )
    check = measured(NAME, message, float(residuals[largest]), allowed, "eV/atom")
    return check if residuals[largest] <= allowed else check.failed("energy-jumps")


def _energy_steps(evaluations: list[Evaluation]) -> NDArray[np.float64]:
    return np.diff(np.array([evaluation.energy for evaluation in evaluations]))


def _integrals(evaluations: list[Evaluation], volume: float) -> NDArray[np.float64]:
    """Return the integrals of dE/ds over each interval, eV."""
    step = STRETCHES[1] - STRETCHES[0]
    pressures = np.array([evaluation.stress[:3].sum() for evaluation in evaluations])
    slopes = volume * STRETCHES**2 * pressures
    curvatures = np.gradient(slopes, step)
    return np.asarray(step / 2 * (slopes[1:] + slopes[:-1]) - step**2 / 12 * np.diff(curvatures))

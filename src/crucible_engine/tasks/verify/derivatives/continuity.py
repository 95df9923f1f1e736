"""Whether the energy jumps when neighbours come within a cutoff, which no derivative at a single geometry shows."""

from __future__ import annotations

import numpy as np

from crucible_engine.tasks.verify.check import Check
from crucible_engine.tasks.verify.derivatives.differences import integrals
from crucible_engine.tasks.verify.evaluator import Evaluator
from crucible_engine.tasks.verify.precision import Precision
from crucible_engine.tasks.verify.probes import Probe, stretched

STRETCHES = np.linspace(0.94, 1.08, 29)
"""Factors of the lattice vectors: shells of neighbours as far as 6 Å move by 0.8 Å, and some come or go."""
LARGEST_JUMP = 5e-4
"""eV/atom. What the integration leaves is 6e-5 with CHGNet 0.3.0, and 1e-6 to 1e-5 with SevenNet, EMT and orb-v3."""
NAME = "continuity"


def check_continuity(evaluator: Evaluator, probe: Probe, precision: Precision) -> Check:
    """Check that the energy of a crystal changes by the integral of its pressure when the lattice is stretched.

    ``dE/ds = V (xx + yy + zz) / s`` with the stress' components at the stretch ``s``, integrated between neighbouring
    stretches.

    :param evaluator: a model whose stress is the derivative of its energy.
    """
    evaluations = evaluator([stretched(probe.atoms, stretch) for stretch in STRETCHES])
    pressures = np.array([evaluation.stress[:3].sum() for evaluation in evaluations])
    slopes = abs(probe.atoms.cell.volume) * STRETCHES**2 * pressures
    energies = np.array([evaluation.energy for evaluation in evaluations])
    residuals = np.abs(np.diff(energies) - integrals(slopes, STRETCHES[1] - STRETCHES[0])) / len(probe.atoms)
    largest = int(np.argmax(residuals))
    allowed = LARGEST_JUMP + precision.tolerance(evaluations).energy
    message = (
        f"stretched by {STRETCHES[0]:.2f} to {STRETCHES[-1]:.2f}, the energy differs from the integral of its stress "
        f"by {residuals[largest]:.1e} eV/atom at most, near {STRETCHES[largest]:.3f}"
    )
    check = Check(NAME, message, float(residuals[largest]), allowed, "eV/atom")
    return check.failed_if(not residuals[largest] <= allowed, "energy-jumps")

"""Whether forces and stress are given at all: for each element, and for each component."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.data import chemical_symbols

from crucible_engine.families.base import Evaluation
from crucible_engine.tasks.verify.check import Check, measured, not_applicable
from crucible_engine.tasks.verify.derivatives.diagnosis import COMPONENTS
from crucible_engine.tasks.verify.probes import Probe


def check_forces_present(probes: Sequence[Probe], bases: Sequence[Evaluation]) -> Check:
    """Check that no element's forces are exactly zero, which in a crystal without symmetry they never are.

    :param probes: the structures.
    :param bases: what the model says of each.
    """
    name, norms = "forces present", dict[int, float]()
    for probe, base in zip(probes, bases, strict=True):
        # Symmetry holds the only atom of a cell in its place; an atom of a molecule may be alone.
        if probe.is_crystal and len(probe.atoms) > 1:
            for number, size in zip(probe.atoms.numbers, np.linalg.norm(base.forces, axis=1), strict=True):
                norms[int(number)] = max(norms.get(int(number), 0.0), float(size))
    missing = [chemical_symbols[number] for number, size in norms.items() if size == 0]
    if missing:
        message = f"the forces are exactly zero on every {', '.join(missing)}, in crystals without any symmetry"
        return measured(name, message, float(len(missing)), 0.0).failed("forces-missing")
    return measured(name, "every element has some")


def check_stress_present(probes: Sequence[Probe], bases: Sequence[Evaluation]) -> Check:
    """Check that no component of the stress is exactly zero.

    :param probes: the structures.
    :param bases: what the model says of each; NaN for a stress that the model does not claim to have.
    """
    name = "stress present"
    stresses = [base.stress for probe, base in zip(probes, bases, strict=True) if probe.is_crystal]
    if not stresses or any(np.isnan(stress).all() for stress in stresses):
        return not_applicable(name, "the model gives no stress")
    missing = [component for component, size in zip(COMPONENTS, np.abs(stresses).max(axis=0), strict=True) if size == 0]
    if missing:
        message = f"{', '.join(missing)} of the stress are exactly zero, in crystals without any symmetry"
        return measured(name, message, float(len(missing)), 0.0).failed("stress-missing")
    return measured(name, "every component has a value")

"""Whether forces and stress agree that it is the energy which is wrong: its unit, its sign, an energy of one atom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from crucible_engine.tasks.verify.check import Check, measured, not_applicable
from crucible_engine.tasks.verify.derivatives import diagnosis
from crucible_engine.tasks.verify.derivatives.diagnosis import Explanation
from crucible_engine.tasks.verify.derivatives.differences import Derivatives
from crucible_engine.tasks.verify.derivatives.gradients import (
    explain_forces,
    explain_stress,
    has_stress,
    misfit_allowed,
)
from crucible_engine.tasks.verify.precision import Deviation

NAME = "energy scale"
POWERS = {"constant": 0, "atoms": 1, "1/atoms": -1}
"""Power of the number of atoms that a factor is proportional to."""

Rescaled = tuple[Check, list[Derivatives], list[Derivatives]]


def settle_energy_scale(forces: list[Derivatives], stresses: list[Derivatives], scatter: Deviation) -> Rescaled:
    """Blame the energy where forces and stress are both its derivative but for the same factor.

    Return the check, and the derivatives of the energy as it should be, so that what else is wrong is found as well.

    :param forces: of each probe.
    :param stresses: of each crystal.
    :param scatter: what evaluating a structure again changes.
    """
    if not forces or not has_stress(stresses):
        return not_applicable(NAME, "only forces and stress together tell that of the energy"), forces, stresses
    allowed = misfit_allowed(forces, scatter.forces), misfit_allowed(stresses, scatter.stress)
    by_forces, by_stress = explain_forces(forces, allowed[0]), explain_stress(stresses, allowed[1])
    tolerance = sum(allowed)
    alike = (
        by_forces.misfit <= allowed[0]
        and by_stress.misfit <= allowed[1]
        and by_forces.law == by_stress.law
        and by_forces.factor != 0
        and abs(by_stress.factor / by_forces.factor - 1) <= tolerance
    )
    right = by_forces.law == "constant" and abs(by_forces.factor - 1) <= tolerance
    if right or not alike:
        return measured(NAME, "forces and stress have no wrong factor in common"), forces, stresses
    return _blame(by_forces, tolerance), _rescaled(forces, by_forces), _rescaled(stresses, by_forces)


def _blame(found: Explanation, tolerance: float) -> Check:
    factor = 1.0 / found.factor
    check = measured(NAME, _message(factor, found.law), factor, 1.0)
    if found.law == "atoms":
        return check.failed("energy-per-atom")
    if found.law != "constant":
        return check.failed("energy-scales-with-size")
    if abs(factor + 1) <= tolerance:
        return check.failed("energy-wrong-sign")
    low, high = diagnosis.PLAIN_RANGE
    return check.failed("energy-inconsistent" if low < abs(factor) < high else "energy-wrong-unit")


def _message(factor: float, law: str) -> str:
    unit = diagnosis.recognise(factor, diagnosis.ENERGY_UNITS)
    size = {"constant": "", "atoms": " divided by the number of atoms", "1/atoms": " times the number of atoms"}[law]
    meaning = f" (as if it were in {unit.name})" if unit.name else ""
    return f"forces and stress both say that the energy is {factor:.5g} times the right one{size}{meaning}"


def _rescaled(derivatives: Sequence[Derivatives], found: Explanation) -> list[Derivatives]:
    factors = [found.factor * float(len(item.probe.atoms)) ** POWERS[found.law] for item in derivatives]
    return [
        replace(item, numerical=factor * item.numerical, error=np.abs(factor) * item.error)
        for factor, item in zip(factors, derivatives, strict=True)
    ]

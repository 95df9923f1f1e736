"""Whether it is the energy which is wrong: its sign, its unit, an energy of one atom.

Forces and stress that both are its derivative but for the same factor say so. What is consistent in a wrong unit shows
only in the size of the energy: crystals are bound by no more than some eV an atom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from crucible_engine.tasks.verify.check import Check, not_applicable
from crucible_engine.tasks.verify.derivatives import diagnosis
from crucible_engine.tasks.verify.derivatives.diagnosis import Explanation, explain_forces, explain_stress
from crucible_engine.tasks.verify.derivatives.differences import Derivatives
from crucible_engine.tasks.verify.derivatives.gradients import (
    has_stress,
    misfit_allowed,
)
from crucible_engine.tasks.verify.evaluator import Evaluator
from crucible_engine.tasks.verify.precision import Deviation
from crucible_engine.tasks.verify.probes import Probe, stretched

ENERGY_SIZE = "energy size"
STRETCHES = (1.0, 1.12, 1.25, 1.4)
"""Factors of the lattice vectors: to a distance at which most of a bond is broken."""
LARGEST_BINDING = 9.0
"""eV/atom. Tungsten, which has the largest cohesive energy of all elements, has 8.9; no crystal takes more to pull
apart, and most models need 1 to 3 for these stretches."""
SMALLEST_BINDING = 0.15
"""eV/atom. What is softer may be a noble gas, an untrained network, or a metal in Hartree."""
USUAL_BINDING = 2.0
"""eV/atom, of crystals of metals at these stretches; tells which unit a too large one is likely to be in."""

ENERGY_SCALE = "energy scale"

POWERS = {"constant": 0, "atoms": 1, "1/atoms": -1}
"""Power of the number of atoms that a factor is proportional to."""

Rescaled = tuple[Check, list[Derivatives], list[Derivatives]]


@dataclass(frozen=True)
class Binding:
    """How much energy it takes to pull crystals apart.

    :param energy: the median of the probes, eV/atom.
    """

    check: Check
    energy: float

    @property
    def is_impossible(self) -> bool:
        """Whether no crystal is bound so strongly."""
        return self.energy > LARGEST_BINDING


def check_binding(evaluator: Evaluator, probes: Sequence[Probe]) -> Binding:
    """Check that pulling crystals apart does not take more energy than any crystal has to give.

    :param probes: the structures; those that are no small crystals do not count.
    """
    crystals = [probe for probe in probes if probe.is_crystal and probe.is_small]
    if not crystals:
        return Binding(not_applicable(ENERGY_SIZE, "no probe is a small crystal"), math.nan)
    structures = [stretched(probe.atoms, stretch) for probe in crystals for stretch in STRETCHES]
    energies = np.array([item.energy / len(item.forces) for item in evaluator(structures, stress=False)])
    table = energies.reshape(len(crystals), len(STRETCHES))
    energy = float(np.median(table[:, -1] - table.min(axis=1)))
    message = f"to stretch a crystal by {STRETCHES[-1]} takes {energy:.3g} eV/atom"
    check = Check(ENERGY_SIZE, message, energy, LARGEST_BINDING, "eV/atom")
    if energy > LARGEST_BINDING:
        unit = _likely_unit(energy)
        wrong = replace(check, message=f"{message}, more than any crystal is bound by: as if it were in {unit}")
        return Binding(wrong.failed("energy-wrong-unit"), energy)
    if energy < SMALLEST_BINDING:
        return Binding(check.unjudged("too soft to tell a noble gas from a metal in a larger unit"), energy)
    return Binding(check, energy)


def correct_unit(
    binding: Binding, forces: list[Derivatives], stresses: list[Derivatives], scatter: Deviation
) -> tuple[Binding, list[Derivatives], list[Derivatives]]:
    """Find the unit in which an impossible energy makes the forces or the stress right.

    Return the finding, and the derivatives of the energy in eV, so that what else is wrong is found as well.

    :param binding: of a model whose energy is impossible.
    """
    allowed = misfit_allowed(forces, scatter.forces), misfit_allowed(stresses, scatter.stress)
    factors = [(explain_forces(forces, allowed[0]), allowed[0])] if forces else []
    if has_stress(stresses):
        factors.append((explain_stress(stresses, allowed[1]), allowed[1]))
    for name, size in diagnosis.ENERGY_UNITS.items():
        exact = (
            found.misfit <= tolerance and found.law == "constant" and abs(abs(found.factor) * size - 1) <= tolerance
            for found, tolerance in factors
        )
        if size > 1 and any(exact):
            message = f"{binding.check.message.partition(':')[0]}: it is in {name}"
            found = Binding(replace(binding.check, message=message), binding.energy)
            return found, _in_electronvolt(forces, size), _in_electronvolt(stresses, size)
    return binding, forces, stresses


def _likely_unit(energy: float) -> str:
    ratio = energy / USUAL_BINDING
    large = {name: size for name, size in diagnosis.ENERGY_UNITS.items() if size > 1}
    return min(large, key=lambda name: abs(math.log(ratio / large[name])))


def _in_electronvolt(derivatives: Sequence[Derivatives], size: float) -> list[Derivatives]:
    return [replace(item, numerical=item.numerical / size, error=item.error / size) for item in derivatives]


def correct_energy_scale(forces: list[Derivatives], stresses: list[Derivatives], scatter: Deviation) -> Rescaled:
    """Find out whether forces and stress are both derivatives of the energy but for one and the same factor.

    Return the check, and the derivatives of the energy as it should be, so that what else is wrong is found as well.
    """
    if not forces or not has_stress(stresses):
        return not_applicable(ENERGY_SCALE, "only forces and stress together tell that of the energy"), forces, stresses
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
        return Check(ENERGY_SCALE, "forces and stress have no wrong factor in common"), forces, stresses
    return _fault_of(by_forces, tolerance), _rescaled(forces, by_forces), _rescaled(stresses, by_forces)


def _fault_of(found: Explanation, tolerance: float) -> Check:
    factor = 1.0 / found.factor
    check = Check(ENERGY_SCALE, _message(factor, found.law), factor, 1.0)
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

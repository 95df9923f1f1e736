"""Whether energies are of the size that crystals have: what is consistent in a wrong unit shows nowhere else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from crucible_engine.tasks.verify.check import Check, measured, not_applicable
from crucible_engine.tasks.verify.derivatives import diagnosis
from crucible_engine.tasks.verify.derivatives.differences import Derivatives
from crucible_engine.tasks.verify.derivatives.gradients import (
    explain_forces,
    explain_stress,
    has_stress,
    misfit_allowed,
)
from crucible_engine.tasks.verify.evaluator import Evaluator
from crucible_engine.tasks.verify.precision import Deviation
from crucible_engine.tasks.verify.probes import Probe

NAME = "energy size"
STRETCHES = (1.0, 1.12, 1.25, 1.4)
"""Factors of the lattice vectors: to a distance at which most of a bond is broken."""
LARGEST_BINDING = 9.0
"""eV/atom. Tungsten, which has the largest cohesive energy of all elements, has 8.9; no crystal takes more to pull
apart, and most models need 1 to 3 for these stretches."""
SMALLEST_BINDING = 0.15
"""eV/atom. What is softer may be a noble gas, an untrained network, or a metal in Hartree."""
USUAL_BINDING = 2.0
"""eV/atom, of crystals of metals at these stretches; tells which unit a too large one is likely to be in."""


@dataclass(frozen=True)
class Binding:
    """How much energy it takes to pull crystals apart.

    :param check: what was found.
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

    :param evaluator: the model.
    :param probes: the structures; those that are no small crystals do not count.
    """
    crystals = [probe for probe in probes if probe.is_crystal and probe.is_small]
    if not crystals:
        return Binding(not_applicable(NAME, "no probe is a small crystal"), math.nan)
    stretched = [probe.atoms.copy() for probe in crystals for _ in STRETCHES]
    for atoms, stretch in zip(stretched, STRETCHES * len(crystals), strict=True):
        atoms.set_cell(atoms.cell.array * stretch, scale_atoms=True)
    energies = np.array([item.energy / len(item.forces) for item in evaluator(stretched, stress=False)])
    table = energies.reshape(len(crystals), len(STRETCHES))
    energy = float(np.median(table[:, -1] - table.min(axis=1)))
    message = f"to stretch a crystal by {STRETCHES[-1]} takes {energy:.3g} eV/atom"
    check = measured(NAME, message, energy, LARGEST_BINDING, "eV/atom")
    if energy > LARGEST_BINDING:
        unit = _likely_unit(energy)
        wrong = replace(check, message=f"{message}, more than any crystal is bound by: as if it were in {unit}")
        return Binding(wrong.failed("energy-wrong-unit"), energy)
    if energy < SMALLEST_BINDING:
        return Binding(check.unjudged("too soft to tell a noble gas from a metal in a larger unit"), energy)
    return Binding(check, energy)


def settle_unit(
    binding: Binding, forces: list[Derivatives], stresses: list[Derivatives], scatter: Deviation
) -> tuple[Binding, list[Derivatives], list[Derivatives]]:
    """Find the unit in which an impossible energy makes the forces or the stress right.

    Return the finding, and the derivatives of the energy in eV, so that what else is wrong is found as well.

    :param binding: of a model whose energy is impossible.
    :param forces: of each probe.
    :param stresses: of each crystal.
    :param scatter: what evaluating a structure again changes.
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
            settled = Binding(replace(binding.check, message=message), binding.energy)
            return settled, _in_electronvolt(forces, size), _in_electronvolt(stresses, size)
    return binding, forces, stresses


def _likely_unit(energy: float) -> str:
    ratio = energy / USUAL_BINDING
    large = {name: size for name, size in diagnosis.ENERGY_UNITS.items() if size > 1}
    return min(large, key=lambda name: abs(math.log(ratio / large[name])))


def _in_electronvolt(derivatives: Sequence[Derivatives], size: float) -> list[Derivatives]:
    return [replace(item, numerical=item.numerical / size, error=item.error / size) for item in derivatives]

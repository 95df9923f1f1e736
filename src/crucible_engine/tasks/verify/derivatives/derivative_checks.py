"""Forces and stress against the energy: which derivatives to take, and which fault explains what they differ by."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from crucible_engine.families.base import Evaluation
from crucible_engine.tasks.verify.check import Check, not_applicable
from crucible_engine.tasks.verify.consistency.smoothness import ATTEMPTS
from crucible_engine.tasks.verify.derivatives.differences import (
    Derivatives,
    Stencil,
    differentiate_forces,
    differentiate_stress,
    forces_by_work,
    stress_by_work,
)
from crucible_engine.tasks.verify.derivatives.energy import (
    ENERGY_SCALE,
    check_binding,
    correct_energy_scale,
    correct_unit,
)
from crucible_engine.tasks.verify.derivatives.gradients import (
    FORCES_NAMES,
    STRESS_NAMES,
    are_better,
    check_by_work,
    check_forces,
    check_stress,
    has_stress,
    is_resolved,
)
from crucible_engine.tasks.verify.derivatives.short_distance import CLIPPED, check_short_distance
from crucible_engine.tasks.verify.derivatives.short_distance import NAME as SHORT_DISTANCE
from crucible_engine.tasks.verify.elements import check_forces_present, check_stress_present
from crucible_engine.tasks.verify.evaluator import Evaluator
from crucible_engine.tasks.verify.precision import Deviation
from crucible_engine.tasks.verify.probes import Probe, move_away

Differentiate = Callable[[Evaluator, Probe, Evaluation, Stencil, np.random.Generator], Derivatives]


class DerivativeChecks:
    """Compares forces and stress with the energy's derivatives.

    :param probes: structures for which it gives numbers.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        probes: Sequence[Probe],
        bases: Sequence[Evaluation],
        *,
        scatter: Deviation,
        stencil: Stencil,
        rng: np.random.Generator,
    ) -> None:
        self._evaluator, self._probes, self._bases = evaluator, probes, bases
        self._scatter, self._stencil, self._rng = scatter, stencil, rng
        self._conservative = evaluator.model.conservative

    def run(self) -> list[Check]:
        """Return the checks of the energy's scale, the forces and the stress."""
        small = [(probe, base) for probe, base in zip(self._probes, self._bases, strict=True) if probe.is_small]
        crystals = [(probe, base) for probe, base in small if probe.is_crystal]
        scatter, conservative = self._scatter, self._conservative
        forces, forces_rough = self._resolved(differentiate_forces, forces_by_work, small, scatter.forces)
        stresses, stress_rough = self._resolved(differentiate_stress, stress_by_work, crystals, scatter.stress)
        has_forces = check_forces_present(self._probes, self._bases)
        stress_present = check_stress_present(self._probes, self._bases)
        binding = check_binding(self._evaluator, self._probes)
        scale = not_applicable(ENERGY_SCALE, "only conservative forces and stress together tell that of the energy")
        if conservative and not (has_forces.fault or stress_present.fault):
            scale, forces, stresses = correct_energy_scale(forces, stresses, scatter)
        if conservative and binding.is_impossible and not scale.fault:
            binding, forces, stresses = correct_unit(binding, forces, stresses, scatter)
        size = binding.check.unjudged(f"see {ENERGY_SCALE}") if scale.fault else binding.check
        of_forces = _missing(FORCES_NAMES, has_forces) or (
            check_by_work(forces, "forces", scatter.forces)
            if forces_rough
            else check_forces(forces, conservative, scatter.forces)
        )
        of_stress = _missing(STRESS_NAMES, stress_present) or (
            check_by_work(stresses, "stress", scatter.stress)
            if stress_rough
            else check_stress(stresses, conservative, scatter.stress)
        )
        energy_wrong = bool(scale.fault or size.fault)
        of_forces = self._with_short_distance(of_forces, energy_wrong or bool(has_forces.fault))
        return [size, scale, has_forces, *of_forces, stress_present, *of_stress]

    def _with_short_distance(self, of_forces: Sequence[Check], is_wrong_elsewhere: bool) -> list[Check]:
        """Add the check of close atoms, which explains what the others found or adds nothing to it."""
        if is_wrong_elsewhere or not self._conservative:
            reason = "only forces and energies that fit each other elsewhere are compared where atoms are close"
            return [*of_forces, not_applicable(SHORT_DISTANCE, reason)]
        probe = next(probe for probe in self._probes if probe.is_crystal and probe.is_small and len(probe.atoms) > 1)
        close = check_short_distance(self._evaluator, probe, self._scatter)
        if close.fault == CLIPPED:
            return [*(check.unjudged(f"see {SHORT_DISTANCE}") if check.fault else check for check in of_forces), close]
        if close.fault and any(check.fault for check in of_forces):
            close = close.unjudged("the forces are wrong elsewhere as well")
        return [*of_forces, close]

    def _resolved(
        self,
        differentiate: Differentiate,
        by_work: Differentiate,
        pairs: Sequence[tuple[Probe, Evaluation]],
        scatter: float,
    ) -> tuple[list[Derivatives], bool]:
        """Return the derivatives of all probes, and whether the energy is too rough for any but those by work."""
        derivatives = self._all(differentiate, pairs)
        is_given = by_work is forces_by_work or has_stress(derivatives)
        if not self._conservative or not is_given or is_resolved(derivatives, scatter):
            return derivatives, False
        others = [by_work(self._evaluator, *pair, self._stencil, self._rng) for pair in pairs]
        return (others, True) if are_better(others) else (derivatives, False)

    def _all(self, differentiate: Differentiate, pairs: Sequence[tuple[Probe, Evaluation]]) -> list[Derivatives]:
        """Return the derivatives of all probes, or of those that have any, if there are such."""
        derivatives = [self._differentiate(differentiate, probe, base) for probe, base in pairs]
        return [item for item in derivatives if item.are_telling or np.isnan(item.reported).any()] or derivatives

    def _differentiate(self, differentiate: Differentiate, probe: Probe, base: Evaluation) -> Derivatives:
        """Return the derivatives of a probe, moved elsewhere if its energy happens to jump right there.

        CHGNet 0.2.0 does when the first bond angle of a structure comes within reach.
        """
        derivatives = differentiate(self._evaluator, probe, base, self._stencil, self._rng)
        for _ in range(ATTEMPTS - 1):
            if not derivatives.are_rough:
                break
            probe = move_away(probe, self._rng)
            base = self._evaluator([probe.atoms])[0]
            derivatives = differentiate(self._evaluator, probe, base, self._stencil, self._rng)
        return derivatives


def _missing(names: Sequence[str], presence: Check) -> list[Check]:
    """Return checks that could not be made for a quantity that is not there, and no check for one that is."""
    return [not_applicable(name, f"see {presence.name}") for name in names] if presence.fault else []

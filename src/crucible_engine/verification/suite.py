"""All checks of a model, in an order in which one fault does not show up under other faults' names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from crucible_engine.models.base import Evaluation, Model
from crucible_engine.verification import continuity, invariance, repeatability
from crucible_engine.verification.check import PASSED, Check, measured, not_applicable
from crucible_engine.verification.differences import Derivatives, Stencil, differentiate_forces, differentiate_stress
from crucible_engine.verification.energy_scale import settle_energy_scale
from crucible_engine.verification.evaluator import Evaluator
from crucible_engine.verification.gradients import (
    FORCES_NAMES,
    STRESS_NAMES,
    check_forces,
    check_stress,
    trusted,
)
from crucible_engine.verification.invariance import NOISE_OF, Outcome
from crucible_engine.verification.precision import EPSILON, Precision
from crucible_engine.verification.presence import check_forces_present, check_stress_present
from crucible_engine.verification.probes import Probe, choose_species, disturb, make_probes, move_away
from crucible_engine.verification.resolution import check_resolution
from crucible_engine.verification.settling import ATTEMPTS, settle_probes
from crucible_engine.verification.supercell import MISSES_IMAGES, check_supercell

DOUBLE_NOISE = 1e-8
"""Noise of the forces, relative to their size, that float64 never has and float32 always."""
SINGLE_NOISE = 1e-4
"""Noise of the forces, relative to their size, that not even float32 has."""
LARGEST_NOISE = 1e-5
"""Noise of the energy, relative to its size, beyond which it is no rounding error."""


Differentiate = Callable[[Evaluator, Probe, Evaluation, Stencil, np.random.Generator], Derivatives]


@dataclass(frozen=True)
class Verification:
    """What came of all checks.

    :param checks: in the order in which a person should read them.
    :param force_noise: rms scatter of the forces over translations and permutations, eV/Å; ``None`` if unknown.
    :param probes: the structures.
    :param evaluations: how many structures were evaluated.
    """

    checks: list[Check]
    force_noise: float | None
    probes: list[Probe]
    evaluations: int

    @property
    def faults(self) -> list[str]:
        """The names of the faults found, each once."""
        return list(dict.fromkeys(check.fault for check in self.checks if check.fault))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-serializable summary."""
        return {
            "checks": [check.to_dict() for check in self.checks],
            "faults": self.faults,
            "force_noise": self.force_noise,
            "probes": [
                {"label": probe.label, "formula": probe.atoms.get_chemical_formula(), "n_atoms": len(probe.atoms)}
                for probe in self.probes
            ],
            "evaluations": self.evaluations,
        }


def verify_model(
    model: Model,
    structures: Sequence[tuple[str, Atoms]] = (),
    seed: int = 0,
    pause: Callable[[], None] = lambda: None,
) -> Verification:
    """Check a model on small random crystals of its elements, and on the user's structures.

    :param model: the loaded potential.
    :param structures: the user's, with their labels; may be none.
    :param seed: of all random numbers.
    :param pause: called between calls of the model.
    """
    species = choose_species(model.elements, [atoms for _, atoms in structures])
    evaluator = Evaluator(model, pause)
    opening = make_probes(species, seed)[0].atoms
    first = evaluator.alone(opening)
    crystals, settling = settle_probes(evaluator, species, seed)
    probes = crystals + [disturb(label, atoms, seed) for label, atoms in structures]
    bases = evaluator([probe.atoms for probe in probes])
    checks = [settling, *repeatability.check_finite(probes, bases)]
    sound = [index for index, pair in enumerate(zip(probes, bases, strict=True)) if repeatability.gives_numbers(*pair)]
    if not sound:
        return Verification(checks, None, probes, evaluator.count)
    examination = _Examination(evaluator, [probes[index] for index in sound], [bases[index] for index in sound], seed)
    checks += examination.run()
    checks.append(repeatability.check_drift(evaluator, opening, first))
    if len(sound) == len(probes) and evaluator.broken:
        checks = _without_numbers(checks, evaluator)
    return Verification(checks, examination.force_noise, probes, evaluator.count)


class _Examination:
    """The checks that need finite numbers, and what they hand on to each other.

    :param evaluator: the model.
    :param probes: structures for which it gives numbers.
    :param bases: what it says of them.
    :param seed: of the random numbers.
    """

    def __init__(self, evaluator: Evaluator, probes: list[Probe], bases: list[Evaluation], seed: int) -> None:
        self.evaluator = evaluator
        self.model = evaluator.model
        self.probes = probes
        self.bases = bases
        self.rng = np.random.default_rng(seed)
        self.force_noise: float | None = None

    def run(self) -> list[Check]:
        """Return the results of all checks."""
        repeated, precision = self._repeatability()
        outcomes = invariance.perform(self.evaluator, self.probes, self.bases, self.rng)
        noise, precision = self._noise(outcomes, precision)
        derivatives = self._derivatives(outcomes, precision)
        symmetry = repeatability.check_stress_tensor(self.model, self.probes)
        judge = invariance.Judge(precision, self._compared(derivatives), self.model.equivariant)
        translation, *others = outcomes
        moved = judge.check(translation)
        if moved.fault:
            # Energies that depend on the place in space differ after every operation that moves atoms.
            rest = [not_applicable(name, "depends on where the atoms are: see translation") for name in _names(others)]
        else:
            supercell = check_supercell(self.evaluator, self.probes, self.bases, precision, judge.compared)
            misses_images = supercell.fault == MISSES_IMAGES
            rest = [supercell, *(judge.check(outcome, misses_images) for outcome in others)]
            if misses_images:
                repeated = [_unless_stale_by_images(check) for check in repeated]
        if repeated[0].fault:
            reason = "the numbers change by themselves: see determinism"
            moved, *rest = (check.unjudged(reason) if check.fault else check for check in (moved, *rest))
        return [
            *repeated,
            *derivatives,
            self._continuity([*repeated, *derivatives], precision),
            symmetry,
            moved,
            *rest,
            noise,
        ]

    def _continuity(self, checks: Sequence[Check], precision: Precision) -> Check:
        by_name = {check.name: check for check in checks}
        comparable = [by_name[name] for name in STRESS_NAMES]
        unfit = any(check.status != PASSED for check in comparable) or by_name["energy scale"].fault
        if unfit or by_name["caches"].fault:
            return not_applicable(continuity.NAME, "needs energies and stresses that are right at single geometries")
        crystal = next(probe for probe in self.probes if probe.is_crystal and probe.is_small)
        return continuity.check_continuity(self.evaluator, crystal, precision)

    def _compared(self, derivatives: Sequence[Check]) -> list[str]:
        """Return what can be compared before and after an operation: not what is known to be wrong by itself."""
        sound = [name for name in ("forces", "stress") if not self._conservative or trusted(derivatives, name)]
        return ["energy", *sound]

    @property
    def _conservative(self) -> bool:
        return self.model.conservative

    def _repeatability(self) -> tuple[list[Check], Precision]:
        determinism, precision = repeatability.check_determinism(self.evaluator, self.probes, self.bases)
        caches = repeatability.check_caches(self.evaluator, self.probes)
        batches = repeatability.check_batches(self.evaluator, self.probes, self.bases, precision)
        if batches.fault:
            # What comes after is about the model and not about its batches, which have had their finding.
            self.evaluator.one_at_a_time = True
            self.bases = self.evaluator([probe.atoms for probe in self.probes])
        calculator = repeatability.check_calculator(self.model, self.probes, self.bases, precision)
        untouched = repeatability.check_input_untouched(self.model, self.probes)
        resolution, coarseness = check_resolution(self.bases, self.model.dtype)
        if resolution.fault and caches.fault:
            caches = caches.unjudged("a small change is lost in coarse numbers: see resolution")
        checks = [determinism, caches, batches, calculator, untouched, resolution]
        return checks, Precision(precision.epsilon, precision.scatter.at_least(coarseness))

    def _noise(self, outcomes: Sequence[Outcome], precision: Precision) -> tuple[Check, Precision]:
        """Report the noise of the forces, and find out whether it is that of the precision which was asked for."""
        scatter = [outcome.scatter_of_forces() for outcome in outcomes if outcome.operation.name in NOISE_OF]
        self.force_noise = float(np.sqrt(np.mean(np.square(scatter))))
        size = max(1.0, *(float(np.abs(base.forces).max()) for base in self.bases))
        double = self.model.dtype == "float64"
        limit = (DOUBLE_NOISE if double else SINGLE_NOISE) * size
        message = f"the forces scatter by {self.force_noise:.1e} eV/Å (rms) over translations and permutations"
        check = measured("force noise", message, self.force_noise, limit, "eV/Å")
        reproducible = precision.scatter.forces <= limit
        if double and reproducible and limit < self.force_noise < SINGLE_NOISE * size:
            return check.failed("precision-below-dtype"), Precision(EPSILON["float32"], precision.scatter)
        return check, precision

    def _derivatives(self, outcomes: Sequence[Outcome], precision: Precision) -> list[Check]:
        stencil = Stencil(self._noise_of_energy(outcomes, precision))
        small = [(probe, base) for probe, base in zip(self.probes, self.bases, strict=True) if probe.is_small]
        crystals = [(probe, base) for probe, base in small if probe.is_crystal]
        forces = self._all_derivatives(differentiate_forces, small, stencil)
        stresses = self._all_derivatives(differentiate_stress, crystals, stencil)
        scatter, conservative = precision.scatter, self._conservative
        has_forces = check_forces_present(self.probes, self.bases)
        has_stress = check_stress_present(self.probes, self.bases)
        scale = not_applicable("energy scale", "only conservative forces and stress together tell that of the energy")
        if conservative and not (has_forces.fault or has_stress.fault):
            scale, forces, stresses = settle_energy_scale(forces, stresses, scatter)
        of_forces = _missing(FORCES_NAMES, has_forces) or check_forces(forces, conservative, scatter.forces)
        of_stress = _missing(STRESS_NAMES, has_stress) or check_stress(stresses, conservative, scatter.stress)
        return [scale, has_forces, *of_forces, has_stress, *of_stress]

    def _all_derivatives(
        self, differentiate: Differentiate, pairs: Sequence[tuple[Probe, Evaluation]], stencil: Stencil
    ) -> list[Derivatives]:
        """Return the derivatives of all probes, or of those that have any, if there are such."""
        derivatives = [self._differentiate(differentiate, probe, base, stencil) for probe, base in pairs]
        return [item for item in derivatives if item.are_telling or np.isnan(item.reported).any()] or derivatives

    def _differentiate(
        self, differentiate: Differentiate, probe: Probe, base: Evaluation, stencil: Stencil
    ) -> Derivatives:
        """Return the derivatives of a probe, moved elsewhere if its energy happens to jump right there.

        CHGNet 0.2.0 does when the first bond angle of a structure comes within reach.
        """
        derivatives = differentiate(self.evaluator, probe, base, stencil, self.rng)
        for _ in range(ATTEMPTS - 1):
            if not derivatives.are_rough:
                break
            probe = move_away(probe, self.rng)
            base = self.evaluator([probe.atoms])[0]
            derivatives = differentiate(self.evaluator, probe, base, stencil, self.rng)
        return derivatives

    def _noise_of_energy(self, outcomes: Sequence[Outcome], precision: Precision) -> float:
        """Return the noise of the energies, eV, whatever single operations do change."""
        size = max(1.0, *(abs(base.energy) for base in self.bases))
        scatter = float(np.median([outcome.scatter_of_energies() for outcome in outcomes if outcome.expected]))
        n_atoms = max((len(probe.atoms) for probe in self.probes if probe.is_small), default=1)
        irreproducible = precision.scatter.energy * n_atoms
        return max(precision.epsilon * size, min(scatter, LARGEST_NOISE * size), irreproducible)


def _without_numbers(checks: Sequence[Check], evaluator: Evaluator) -> list[Check]:
    """Return the checks of a model that gave the probes numbers, but not all that was made of them."""
    message = f"NaN, infinity or no stress for {evaluator.broken} of {evaluator.count} structures that were evaluated"
    finite = measured("finite values", message, float(evaluator.broken), 0.0).failed("not-finite")
    unjudged = [check.unjudged("not all are numbers: see finite values") if check.fault else check for check in checks]
    return [finite if check.name == finite.name else check for check in unjudged]


def _unless_stale_by_images(check: Check) -> Check:
    """Return the check of caches as one without a right value: who sees no images sees no change of the cell."""
    return (
        check.unjudged("periodic images are missed: see supercell") if check.name == "caches" and check.fault else check
    )


def _missing(names: Sequence[str], presence: Check) -> list[Check]:
    """Return the checks of a quantity that is not there as ones that could not be made, none of one that is."""
    return [not_applicable(name, f"see {presence.name}") for name in names] if presence.fault else []


def _names(outcomes: Sequence[Outcome]) -> list[str]:
    return ["supercell", *(outcome.operation.name for outcome in outcomes)]

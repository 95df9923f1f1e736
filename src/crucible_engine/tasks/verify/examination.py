"""The checks that need finite numbers, in an order in which one fault does not show up under other faults' names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from crucible_engine.families.base import Evaluation
from crucible_engine.tasks.verify.check import PASSED, Check, not_applicable
from crucible_engine.tasks.verify.consistency import invariance, motion, repeatability
from crucible_engine.tasks.verify.consistency.invariance import NOISE_OF, Outcome
from crucible_engine.tasks.verify.consistency.supercell import MISSES_IMAGES, check_supercell
from crucible_engine.tasks.verify.derivatives import continuity
from crucible_engine.tasks.verify.derivatives.derivative_checks import DerivativeChecks
from crucible_engine.tasks.verify.derivatives.differences import Stencil
from crucible_engine.tasks.verify.derivatives.gradients import STRESS_NAMES, trusted
from crucible_engine.tasks.verify.elements import check_species
from crucible_engine.tasks.verify.evaluator import Evaluator
from crucible_engine.tasks.verify.precision import EPSILON, Deviation, Precision, check_resolution
from crucible_engine.tasks.verify.probes import Probe

DOUBLE_NOISE = 1e-8
"""Noise of the forces, relative to their size, that float64 never has and float32 always."""
SINGLE_NOISE = 1e-4
"""Noise of the forces, relative to their size, that not even float32 has."""
LARGEST_NOISE = 1e-5
"""Noise of the energy, relative to its size, beyond which it is no rounding error."""
DIRECT = "direct-forces"
"""The fault with which a run still makes sense."""


class Examination:
    """The checks that need finite numbers, and what they hand on to each other.

    :param drift: returns by how much the very first numbers have changed since.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        probes: list[Probe],
        bases: list[Evaluation],
        seed: int,
        drift: Callable[[], Deviation],
    ) -> None:
        self.evaluator = evaluator
        self.model = evaluator.model
        self.probes = probes
        self.bases = bases
        self.seed, self.drift = seed, drift
        self.rng = np.random.default_rng(seed)
        self.force_noise: float | None = None
        self.precision = Precision(EPSILON[self.model.dtype], Deviation())

    def run(self) -> list[Check]:
        """Return the results of all checks."""
        repeated, precision = self._repeatability()
        outcomes = invariance.perform(self.evaluator, self.probes, self.bases, self.rng)
        noise, precision = self._noise(outcomes, precision)
        # Numbers that drift from call to call must not look like those of another geometry.
        precision = Precision(precision.epsilon, precision.scatter.at_least(self.drift()))
        self.precision = precision
        stencil = Stencil(self._noise_of_energy(outcomes, precision))
        derivatives = DerivativeChecks(
            self.evaluator, self.probes, self.bases, scatter=precision.scatter, stencil=stencil, rng=self.rng
        ).run()
        symmetry = repeatability.check_stress_tensor(self.model, self.probes)
        judge = invariance.Judge(precision, self._compared(derivatives), self.model.equivariant)
        translation, *others = outcomes
        moved = judge.check(translation)
        if moved.fault:
            # Energies that depend on the place in space differ after every operation that moves atoms.
            names = ["supercell", *(outcome.operation.name for outcome in others)]
            rest = [not_applicable(name, "depends on where the atoms are: see translation") for name in names]
        else:
            supercell = check_supercell(self.evaluator, self.probes, self.bases, precision, judge.compared)
            misses_images = supercell.fault == MISSES_IMAGES
            rest = [supercell, *(judge.check(outcome, misses_images) for outcome in others)]
            if misses_images:
                repeated = [_unless_stale_by_images(check) for check in repeated]
        if not any(check.fault for check in repeated):
            repeated.append(check_species(self.evaluator, self.probes, precision, self.rng))
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

    def run_moving(self, checks: Sequence[Check], calculators: motion.Calculators, patience: float) -> list[Check]:
        """Return the checks of the calculator in dynamics and in a relaxation.

        :param checks: what was found before: a run along wrong forces tells nothing.
        :param patience: see :func:`crucible_engine.tasks.verify.consistency.motion.check_dynamics`.
        """
        names = (motion.DYNAMICS, motion.CONSERVATION, motion.RELAXATION)
        other = next((check for check in checks if check.fault and check.fault != DIRECT), None)
        if other is not None:
            return [
                not_applicable(name, f"not run with a model that has another fault: see {other.name}") for name in names
            ]
        probe = next(probe for probe in reversed(self.probes[:3]) if probe.is_crystal)
        arguments = (self.evaluator, calculators, probe, self.precision)
        dynamics, conservation = motion.check_dynamics(*arguments, seed=self.seed, patience=patience)
        direct = not self.model.conservative or any(check.fault == DIRECT for check in checks)
        if conservation.fault and direct:
            conservation = conservation.unjudged("the forces are not the energy's gradient: see forces gradient")
        stress = next(check for check in checks if check.name == "stress present").status == PASSED
        return [dynamics, conservation, motion.check_relaxation(*arguments, cell=stress)]

    def _continuity(self, checks: Sequence[Check], precision: Precision) -> Check:
        by_name = {check.name: check for check in checks}
        comparable = [by_name[name] for name in STRESS_NAMES]
        unfit = (
            any(check.status != PASSED for check in comparable)
            or by_name["energy scale"].fault
            or by_name["energy size"].fault
        )
        if unfit or by_name["caches"].fault:
            return not_applicable(continuity.NAME, "needs energies and stresses that are right at single geometries")
        crystal = next(probe for probe in self.probes if probe.is_crystal and probe.is_small)
        return continuity.check_continuity(self.evaluator, crystal, precision)

    def _compared(self, derivatives: Sequence[Check]) -> list[str]:
        """Return what can be compared before and after an operation: not what is known to be wrong by itself."""
        sound = [name for name in ("forces", "stress") if not self.model.conservative or trusted(derivatives, name)]
        return ["energy", *sound]

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
        scatter = [outcome.scatter_of("forces") for outcome in outcomes if outcome.operation.name in NOISE_OF]
        self.force_noise = float(np.sqrt(np.mean(np.square(scatter))))
        size = max(1.0, *(float(np.abs(base.forces).max()) for base in self.bases))
        double = self.model.dtype == "float64"
        limit = (DOUBLE_NOISE if double else SINGLE_NOISE) * size
        message = f"the forces scatter by {self.force_noise:.1e} eV/Å (rms) over translations and permutations"
        check = Check("force noise", message, self.force_noise, limit, "eV/Å")
        reproducible = precision.scatter.forces <= limit
        if double and reproducible and limit < self.force_noise < SINGLE_NOISE * size:
            return check.failed("precision-below-dtype"), Precision(EPSILON["float32"], precision.scatter)
        return check, precision

    def _noise_of_energy(self, outcomes: Sequence[Outcome], precision: Precision) -> float:
        """Return the noise of the energies, eV; a single operation that changes energies does not count."""
        size = max(1.0, *(abs(base.energy) for base in self.bases))
        scatter = float(np.median([outcome.scatter_of("energy") for outcome in outcomes if outcome.expected]))
        n_atoms = max((len(probe.atoms) for probe in self.probes if probe.is_small), default=1)
        irreproducible = precision.scatter.energy * n_atoms
        return max(precision.epsilon * size, min(scatter, LARGEST_NOISE * size), irreproducible)


def _unless_stale_by_images(check: Check) -> Check:
    """Do not judge the check of caches of a model that misses periodic images: it cannot see a change of the cell."""
    return (
        check.unjudged("periodic images are missed: see supercell") if check.name == "caches" and check.fault else check
    )

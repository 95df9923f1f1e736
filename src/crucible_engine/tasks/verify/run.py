"""The task ``verify``: whether a model in its environment can be believed at all.

Outcome: ``passed`` or ``failed``. Summary: ``checks`` (see :class:`crucible_engine.tasks.verify.check.Check`),
``faults`` (the names of those found, each once), ``force_noise`` (rms scatter of the forces, eV/Å), ``probes`` (what it
was verified on), ``evaluations`` (how many structures were evaluated).

The structures are optional; without any, the model is verified on small random crystals of its elements alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms

from crucible_engine.families.base import Evaluation, Model
from crucible_engine.job.context import Context, TaskResult
from crucible_engine.tasks.verify.check import Check
from crucible_engine.tasks.verify.consistency import motion, repeatability
from crucible_engine.tasks.verify.consistency.smoothness import smooth_probes
from crucible_engine.tasks.verify.elements import check_elements
from crucible_engine.tasks.verify.evaluator import Evaluator
from crucible_engine.tasks.verify.examination import Examination
from crucible_engine.tasks.verify.probes import Probe, choose_species, disturb, make_probes
from crucible_engine.tasks.verify.weights import check_fingerprint, check_weights
from crucible_engine.wire.schema import STRUCTURES_FILE, Job
from crucible_engine.wire.structures import read_structures


@dataclass(frozen=True)
class Verification:
    """What came of all checks.

    :param checks: in the order in which a person should read them.
    :param force_noise: rms scatter of the forces over translations and permutations, eV/Å; ``None`` if unknown.
    :param capabilities: whether the model gives ``energy``, ``forces`` and ``stress`` at all, and ``direct_forces``, of
        a head of their own.
    """

    checks: list[Check]
    force_noise: float | None
    probes: list[Probe]
    evaluations: int
    capabilities: dict[str, bool]

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
            "capabilities": self.capabilities,
        }


def verify_model(
    model: Model,
    structures: Sequence[tuple[str, Atoms]] = (),
    seed: int = 0,
    pause: Callable[[], None] = lambda: None,
    patience: float = motion.PATIENCE,
) -> Verification:
    """Check a model on small random crystals of its elements, and on the user's structures.

    :param structures: the user's, with their labels; may be none.
    :param patience: seconds for which a calculator of the user's own is run, see :mod:`.motion`.
    """
    calculators = motion.Calculators(model)
    species = choose_species(model.elements, [atoms for _, atoms in structures])
    evaluator = Evaluator(model, pause)
    opening = make_probes(species, seed)[0].atoms
    first = evaluator.alone(opening)
    crystals, smoothness = smooth_probes(evaluator, species, seed)
    probes = crystals + [disturb(label, atoms, seed) for label, atoms in structures]
    bases = evaluator([probe.atoms for probe in probes])
    checks = [smoothness, *repeatability.check_finite(probes, bases)]
    capabilities = {"energy": True, "forces": True, "stress": _gives_stress(probes, bases)}
    capabilities["direct_forces"] = model.has_direct_forces
    sound = [index for index, pair in enumerate(zip(probes, bases, strict=True)) if repeatability.gives_numbers(*pair)]
    if not sound:
        return Verification(checks, None, probes, evaluator.count, capabilities)
    examination = Examination(
        evaluator,
        [probes[index] for index in sound],
        [bases[index] for index in sound],
        seed,
        lambda: repeatability.drift_since(evaluator, opening, first),
    )
    checks += examination.run()
    checks += examination.run_moving(checks, calculators, patience)
    checks.append(check_elements(evaluator, model.elements, seed))
    checks.append(repeatability.check_drift(evaluator, opening, first))
    if len(sound) == len(probes) and evaluator.broken:
        checks = _without_numbers(checks, evaluator)
    return Verification(checks, examination.force_noise, probes, evaluator.count, capabilities)


def _gives_stress(probes: Sequence[Probe], bases: Sequence[Evaluation]) -> bool:
    """Tell whether a crystal has a stress, right or wrong."""
    return any(probe.is_crystal and not np.isnan(base.stress).all() for probe, base in zip(probes, bases, strict=True))


def _without_numbers(checks: Sequence[Check], evaluator: Evaluator) -> list[Check]:
    """Return the checks of a model that gave the probes numbers, but not all that was made of them."""
    message = f"NaN, infinity or no stress for {evaluator.broken} of {evaluator.count} structures that were evaluated"
    finite = Check("finite values", message, float(evaluator.broken), 0.0).failed("not-finite")
    unjudged = [check.unjudged("not all are numbers: see finite values") if check.fault else check for check in checks]
    return [finite if check.name == finite.name else check for check in unjudged]


def run(job: Job, model: Model, context: Context) -> TaskResult:
    """Verify a model."""
    path = context.folder / STRUCTURES_FILE
    structures = list(read_structures(path)) if path.exists() else []
    verification = verify_model(model, structures, job.parameters["seed"], context.between_steps)
    fingerprint = check_fingerprint(model, job.parameters["fingerprint"], verification.faults)
    weights = check_weights(model, job.reference)
    verification = replace(verification, checks=[weights, fingerprint, *verification.checks])
    context.finish()
    faults = verification.faults
    return TaskResult(
        outcome="failed" if faults else "passed",
        summary=verification.to_dict(),
        message=f"verification found: {', '.join(faults)}" if faults else "",
    )

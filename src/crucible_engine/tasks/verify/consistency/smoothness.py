"""Random crystals for which rounding does not change the model's numbers: others take the place of those that do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crucible_engine.tasks.verify.check import Check
from crucible_engine.tasks.verify.consistency import invariance
from crucible_engine.tasks.verify.evaluator import Evaluator, is_finite
from crucible_engine.tasks.verify.precision import EPSILON, Deviation, Precision
from crucible_engine.tasks.verify.probes import Probe, make_probes

TRANSLATIONS = 4
ATTEMPTS = 4
"""How often a probe is tried with other distances, where its energy jumps."""


def smooth_probes(evaluator: Evaluator, species: Sequence[int], seed: int) -> tuple[list[Probe], Check]:
    """Return random crystals for which rounding does not change the numbers, and a line on how many were replaced.

    A network that takes a fixed number of neighbours (ORB) jumps where the last one and the next are equally far, as
    the two images of an atom on opposite sides are. That says something of the network and nothing of its units, so
    single crystals are replaced; a model that jumps for all of them keeps them, and is found out later.
    """
    probes, replaced = make_probes(species, seed), 0
    rng = np.random.default_rng(seed)
    for attempt in range(1, ATTEMPTS):
        unstable = [_depends_on_rounding(evaluator, probe, rng) for probe in probes]
        if not any(unstable) or all(unstable):
            break
        others = make_probes(species, seed + 1000 * attempt)
        probes = [new if is_unstable else old for old, new, is_unstable in zip(probes, others, unstable, strict=True)]
        replaced += sum(unstable)
    message = "rounding alone does not change the random crystals' numbers"
    if replaced:
        message = f"{replaced} random crystals were replaced: rounding alone changed their numbers (neighbours cut off)"
    return probes, Check("smoothness", message, float(replaced))


def _depends_on_rounding(evaluator: Evaluator, probe: Probe, rng: np.random.Generator) -> bool:
    moved = [invariance.translate(probe.atoms, rng).atoms for _ in range(TRANSLATIONS)]
    base, *others = evaluator([probe.atoms, *moved], stress=False)
    if not all(is_finite(item) for item in (base, *others)):
        return False
    allowed = Precision(EPSILON[evaluator.model.dtype], Deviation()).tolerance([base])
    largest = Deviation.worst(Deviation.of(base, other) for other in others)
    return largest.energy > allowed.energy or largest.forces > allowed.forces

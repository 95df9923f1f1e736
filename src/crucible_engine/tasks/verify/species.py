"""Whether a model tells elements apart, and whether a cache hides it where the numbers stay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crucible_engine.tasks.verify.check import Check, measured, not_applicable
from crucible_engine.tasks.verify.consistency import invariance
from crucible_engine.tasks.verify.evaluator import Evaluator
from crucible_engine.tasks.verify.precision import Precision
from crucible_engine.tasks.verify.probes import Probe

NAME = "species"


def check_species(
    evaluator: Evaluator, probes: Sequence[Probe], precision: Precision, rng: np.random.Generator
) -> Check:
    """Check that the numbers change where another element takes an atom's place.

    Where they stay, the new structure is evaluated once more, turned, moved and in another order: a cache does not know
    it again, whatever it is keyed on, while a model that is blind to elements gives the old energy still.

    :param evaluator: the model.
    :param probes: the structures.
    :param precision: what may differ.
    :param rng: for the rotation.
    """
    substituted = [(probe, _substitute(probe)) for probe in probes if len(set(probe.atoms.numbers)) > 1]
    if not substituted:
        return not_applicable(NAME, "every probe is of one element")
    for probe, other in substituted:
        before, after = evaluator.alone(probe.atoms), evaluator.alone(other.atoms)
        if before.energy != after.energy or not np.array_equal(before.forces, after.forces):
            continue
        moved = invariance.rotate(invariance.permute(other.atoms, rng).atoms, rng)
        elsewhere = evaluator.alone(invariance.translate(moved.atoms, rng).atoms)
        difference = abs(elsewhere.energy - before.energy) / len(before.forces)
        blind = difference <= precision.tolerance([before]).energy
        message = f"nothing changes with another element in an atom's place in {probe.label}"
        if blind:
            return measured(NAME, f"{message}, wherever it is").failed("ignores-species")
        return measured(NAME, f"{message}, but elsewhere: a cache overlooks it").failed("stale-results")
    return measured(NAME, "the numbers change with another element in an atom's place")


def _substitute(probe: Probe) -> Probe:
    atoms = probe.atoms.copy()
    atoms.numbers[0] = next(number for number in atoms.numbers if number != atoms.numbers[0])
    return Probe(probe.label, atoms, probe.repetitions)

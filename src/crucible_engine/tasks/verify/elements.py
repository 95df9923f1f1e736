"""Whether a model has numbers for each element that it says it knows, in crystals of two elements each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from crucible_engine.families.base import Evaluation
from crucible_engine.tasks.verify.check import Check, measured, not_applicable
from crucible_engine.tasks.verify.evaluator import Evaluator, is_finite
from crucible_engine.tasks.verify.probes import random_crystal

NAME = "elements"
TIGHTNESS = 1.1
"""Distance of the nearest atoms in units of the sum of their covalent radii: as far apart as in a usual crystal."""
CANDIDATES = 30
"""Random crystals of which the best packed one is taken."""


def check_elements(evaluator: Evaluator, elements: Iterable[int], seed: int) -> Check:
    """Check that a model gives numbers for each of its elements, and forces on each.

    Two elements share a cell of two atoms without symmetry, so that a model of 89 elements costs 45 small structures.
    Only an element that has no numbers in company and by itself has none: two elements that no training datum has
    together may be anything.

    :param evaluator: the model.
    :param elements: atomic numbers that it says it knows; empty where it does not say.
    :param seed: of the random numbers.
    """
    known = sorted(set(map(int, elements)))
    if not known:
        return not_applicable(NAME, "the model does not say which elements it knows")
    rng = np.random.default_rng(seed)
    order = [int(number) for number in rng.permutation(known)]
    pairs = [(order[index], order[(index + 1) % len(order)]) for index in range(0, len(order), 2)]
    crystals = [random_crystal(rng, list(pair), TIGHTNESS, CANDIDATES) for pair in pairs]
    evaluations = evaluator(crystals, extreme=True)
    suspects = sorted({number for number, item in _by_element(crystals, evaluations) if not is_finite(item)})
    broken = [number for number in suspects if _is_broken(evaluator, number, rng)]
    if broken:
        message = f"NaN or infinity for {_symbols(broken)}, of {len(known)} elements that it says it knows"
        return measured(NAME, message, float(len(broken)), 0.0).failed("not-finite")
    silent = _without_forces(crystals, evaluations)
    if silent:
        message = f"the forces are exactly zero on {_symbols(silent)}, in crystals without any symmetry"
        return measured(NAME, message, float(len(silent)), 0.0).failed("forces-missing")
    return measured(NAME, f"numbers for each of {len(known)} elements", 0.0, 0.0)


def _by_element(crystals: Sequence[Atoms], evaluations: Sequence[Evaluation]) -> list[tuple[int, Evaluation]]:
    return [(int(number), item) for atoms, item in zip(crystals, evaluations, strict=True) for number in atoms.numbers]


def _is_broken(evaluator: Evaluator, number: int, rng: np.random.Generator) -> bool:
    crystal = random_crystal(rng, [number, number], TIGHTNESS, CANDIDATES)
    return not is_finite(evaluator([crystal], extreme=True)[0])


def _without_forces(crystals: Sequence[Atoms], evaluations: Sequence[Evaluation]) -> list[int]:
    """Return the elements on which every force is zero while their neighbour, of another element, has one."""
    largest: dict[int, float] = {}
    for atoms, item in zip(crystals, evaluations, strict=True):
        norms = np.linalg.norm(item.forces, axis=1)
        # Where neither has a force the model holds no such bond, and says nothing of either.
        if norms.any():
            for number, norm in zip(map(int, atoms.numbers), norms, strict=True):
                largest[number] = max(largest.get(number, 0.0), float(norm))
    return sorted(number for number, norm in largest.items() if norm == 0)


def _symbols(numbers: Sequence[int]) -> str:
    return ", ".join(chemical_symbols[number] for number in numbers)

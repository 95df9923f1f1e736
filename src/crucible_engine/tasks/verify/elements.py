"""Whether a model knows its elements: tells them apart, and gives numbers, forces and every component of the stress."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from crucible_engine.families.base import Evaluation
from crucible_engine.tasks.verify.check import Check, not_applicable
from crucible_engine.tasks.verify.consistency import invariance
from crucible_engine.tasks.verify.derivatives.diagnosis import COMPONENTS
from crucible_engine.tasks.verify.evaluator import Evaluator, is_finite
from crucible_engine.tasks.verify.precision import Precision
from crucible_engine.tasks.verify.probes import Probe, random_crystal

SPECIES = "species"

ELEMENTS = "elements"

TIGHTNESS = 1.1
"""Distance of the nearest atoms in units of the sum of their covalent radii: as far apart as in a usual crystal."""

CANDIDATES = 30
"""Random crystals of which the best packed one is taken."""


def check_forces_present(probes: Sequence[Probe], bases: Sequence[Evaluation]) -> Check:
    """Check that no element's forces are exactly zero, which in a crystal without symmetry they never are."""
    name = "forces present"
    # Symmetry holds the only atom of a cell in its place; an atom of a molecule may be alone.
    pairs = [(probe.atoms, base) for probe, base in zip(probes, bases, strict=True) if probe.is_crystal]
    missing = _without_forces((atoms, base) for atoms, base in pairs if len(atoms) > 1)
    if missing:
        message = f"the forces are exactly zero on every {_symbols(missing)}, in crystals without any symmetry"
        return Check(name, message, float(len(missing)), 0.0).failed("forces-missing")
    return Check(name, "every element has some")


def check_stress_present(probes: Sequence[Probe], bases: Sequence[Evaluation]) -> Check:
    """Check that no component of the stress is exactly zero.

    :param bases: what the model says of each; NaN for a stress that the model does not claim to have.
    """
    name = "stress present"
    stresses = [base.stress for probe, base in zip(probes, bases, strict=True) if probe.is_crystal]
    if not stresses or any(np.isnan(stress).all() for stress in stresses):
        return not_applicable(name, "the model gives no stress")
    missing = [component for component, size in zip(COMPONENTS, np.abs(stresses).max(axis=0), strict=True) if size == 0]
    if missing:
        message = f"{', '.join(missing)} of the stress are exactly zero, in crystals without any symmetry"
        return Check(name, message, float(len(missing)), 0.0).failed("stress-missing")
    return Check(name, "every component has a value")


def check_species(
    evaluator: Evaluator, probes: Sequence[Probe], precision: Precision, rng: np.random.Generator
) -> Check:
    """Check that the numbers change where another element takes an atom's place.

    Where they stay, the new structure is evaluated once more, turned, moved and in another order: a cache does not know
    it again, whatever it is keyed on, while a model that is blind to elements gives the old energy still.
    """
    substituted = [(probe, _substituted(probe)) for probe in probes if len(set(probe.atoms.numbers)) > 1]
    if not substituted:
        return not_applicable(SPECIES, "every probe is of one element")
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
            return Check(SPECIES, f"{message}, wherever it is").failed("ignores-species")
        return Check(SPECIES, f"{message}, but elsewhere: a cache overlooks it").failed("stale-results")
    return Check(SPECIES, "the numbers change with another element in an atom's place")


def _substituted(probe: Probe) -> Probe:
    atoms = probe.atoms.copy()
    atoms.numbers[0] = next(number for number in atoms.numbers if number != atoms.numbers[0])
    return Probe(probe.label, atoms, probe.repetitions)


def check_elements(evaluator: Evaluator, elements: Iterable[int], seed: int) -> Check:
    """Check that a model gives numbers for each of its elements, and forces on each.

    Two elements share a cell of two atoms without symmetry, so that a model of 89 elements costs 45 small structures.
    Only an element without numbers beside another and by itself counts: for two elements that no training datum has
    together a model may give anything.

    :param elements: atomic numbers that it says it knows; empty where it does not say.
    """
    known = sorted(set(map(int, elements)))
    if not known:
        return not_applicable(ELEMENTS, "the model does not say which elements it knows")
    rng = np.random.default_rng(seed)
    order = [int(number) for number in rng.permutation(known)]
    pairs = [(order[index], order[(index + 1) % len(order)]) for index in range(0, len(order), 2)]
    crystals = [random_crystal(rng, list(pair), TIGHTNESS, CANDIDATES) for pair in pairs]
    evaluations = evaluator(crystals, extreme=True)
    not_finite = (atoms for atoms, item in zip(crystals, evaluations, strict=True) if not is_finite(item))
    suspects = sorted({int(number) for atoms in not_finite for number in atoms.numbers})
    broken = [number for number in suspects if _is_broken(evaluator, number, rng)]
    if broken:
        message = f"NaN or infinity for {_symbols(broken)}, of {len(known)} elements that it says it knows"
        return Check(ELEMENTS, message, float(len(broken)), 0.0).failed("not-finite")
    # Where neither of two elements has a force the model holds no such bond, and says nothing of either.
    bound = ((atoms, item) for atoms, item in zip(crystals, evaluations, strict=True) if item.forces.any())
    silent = sorted(_without_forces(bound))
    if silent:
        message = f"the forces are exactly zero on {_symbols(silent)}, in crystals without any symmetry"
        return Check(ELEMENTS, message, float(len(silent)), 0.0).failed("forces-missing")
    return Check(ELEMENTS, f"numbers for each of {len(known)} elements", 0.0, 0.0)


def _is_broken(evaluator: Evaluator, number: int, rng: np.random.Generator) -> bool:
    crystal = random_crystal(rng, [number, number], TIGHTNESS, CANDIDATES)
    return not is_finite(evaluator([crystal], extreme=True)[0])


def _without_forces(pairs: Iterable[tuple[Atoms, Evaluation]]) -> list[int]:
    """Return the elements on which every force is zero, in the order in which they come."""
    largest: dict[int, float] = {}
    for atoms, item in pairs:
        for number, norm in zip(map(int, atoms.numbers), np.linalg.norm(item.forces, axis=1), strict=True):
            largest[number] = max(largest.get(number, 0.0), float(norm))
    return [number for number, norm in largest.items() if norm == 0]


def _symbols(numbers: Sequence[int]) -> str:
    return ", ".join(chemical_symbols[number] for number in numbers)

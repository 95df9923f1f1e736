"""Whether the same input gives the same numbers: again, after other structures, alone, and through ASE."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError

from crucible_engine.models.base import Evaluation, Model
from crucible_engine.models.calculator_model import CalculatorModel
from crucible_engine.verification.check import Check, measured, not_applicable
from crucible_engine.verification.evaluator import Evaluator, is_finite
from crucible_engine.verification.precision import EPSILON, Deviation, Precision
from crucible_engine.verification.probes import Probe

REPETITIONS = 3
DETERMINISM_MARGIN = 300.0
"""Rounding errors that the order of a parallel sum may change; CHGNet's forces scatter by 15 of them on two threads."""
LARGEST_ENERGY = 1e6
"""eV an atom. The whole electron shell of uranium has 0.8e6."""
LARGEST_FORCE = 1e4
"""eV/Å, between atoms that are about as far apart as their covalent radii say."""
MOVE = 0.1
"""Å, what distinguishes one structure from the next in the check of caches."""


def check_finite(probes: Sequence[Probe], evaluations: Sequence[Evaluation]) -> list[Check]:
    """Check that a model gives numbers, and no absurd ones."""
    wrong = [
        probe.label
        for probe, item in zip(probes, evaluations, strict=True)
        if not is_finite(item, stress=probe.is_crystal and not np.isnan(item.stress).all())
    ]
    if wrong:
        message = f"NaN or infinity for {len(wrong)} of {len(probes)} probes: {', '.join(wrong)}"
        return [measured("finite values", message, float(len(wrong)), 0.0).failed("not-finite")]
    energy = max(abs(item.energy) / len(item.forces) for item in evaluations)
    force = max(float(np.abs(item.forces).max()) for item in evaluations)
    checks = [measured("finite values", f"energies, forces and stresses of {len(probes)} probes are numbers")]
    message = f"up to {energy:.3g} eV an atom and {force:.3g} eV/Å"
    if energy > LARGEST_ENERGY or force > LARGEST_FORCE:
        return [*checks, measured("magnitude", message, energy, LARGEST_ENERGY, "eV/atom").failed("absurd-magnitude")]
    return [*checks, measured("magnitude", message, energy, LARGEST_ENERGY, "eV/atom")]


def check_determinism(
    evaluator: Evaluator, probes: Sequence[Probe], first: Sequence[Evaluation]
) -> tuple[Check, Precision]:
    """Check that the same structures give the same numbers again; return how much they scatter as well.

    :param evaluator: the model.
    :param probes: the structures.
    :param first: what it said of them before.
    """
    structures = [probe.atoms for probe in probes]
    repeated = [evaluator(structures) for _ in range(REPETITIONS - 1)]
    # Once more, each by itself and after the others: a cache or a state that is carried on shows here.
    alone = [[evaluator.alone(atoms) for atoms in structures] for _ in range(2)]
    pairs = [(first, again) for again in repeated] + [(alone[0], alone[1])]
    scatter = Deviation.worst(Deviation.of(*pair) for lists in pairs for pair in zip(*lists, strict=True))
    epsilon = EPSILON[evaluator.model.dtype]
    allowed = Precision(epsilon, Deviation()).tolerance(first, DETERMINISM_MARGIN)
    message = (
        f"evaluated again, energies change by {scatter.energy:.1e} eV/atom, forces by {scatter.forces:.1e} eV/Å, "
        f"stresses by {scatter.stress:.1e} eV/Å³"
    )
    arguments = (message, scatter.forces, allowed.forces, "eV/Å")
    if _exceeds(scatter, allowed):
        return measured("determinism", *arguments).failed("not-deterministic"), Precision(epsilon, scatter)
    return measured("determinism", *arguments), Precision(epsilon, scatter)


def check_caches(evaluator: Evaluator, probes: Sequence[Probe]) -> Check:
    """Check that a structure does not get the numbers of the one before it."""
    stale = []
    for probe in probes:
        moved = probe.atoms.copy()
        moved.positions[0] += MOVE
        before, after = evaluator.alone(probe.atoms), evaluator.alone(moved)
        if before.energy == after.energy and np.array_equal(before.forces, after.forces):
            stale.append(probe.label)
    if stale:
        message = f"moving an atom by {MOVE} Å along x, y and z changes nothing in {', '.join(stale)}"
        return measured("caches", message).failed("stale-results")
    return measured("caches", "a moved atom changes the numbers")


def check_batches(
    evaluator: Evaluator, probes: Sequence[Probe], together: Sequence[Evaluation], precision: Precision
) -> Check:
    """Check that structures evaluated together get the numbers that each gets alone."""
    alone = [evaluator.alone(probe.atoms) for probe in probes]
    deviation = Deviation.worst(Deviation.of(*pair) for pair in zip(together, alone, strict=True))
    allowed = precision.tolerance(alone)
    message = f"in a batch energies differ by {deviation.energy:.1e} eV/atom, forces by {deviation.forces:.1e} eV/Å"
    arguments = (message, deviation.forces, allowed.forces, "eV/Å")
    if _exceeds(deviation, allowed):
        return measured("batches", *arguments).failed("batch-differs-from-single")
    return measured("batches", *arguments)


def check_calculator(
    model: Model, probes: Sequence[Probe], evaluations: Sequence[Evaluation], precision: Precision
) -> Check:
    """Check that the ASE calculator, which relaxations use, says what the batches say."""
    if isinstance(model, CalculatorModel):
        return not_applicable("ASE calculator", "the model is an ASE calculator: everything is checked through it")
    single = as_calculator_model(model)
    others = [single.evaluate_batch([probe.atoms.copy()])[0] for probe in probes]
    deviation = Deviation.worst(Deviation.of(*pair) for pair in zip(evaluations, others, strict=True))
    allowed = precision.tolerance(evaluations)
    message = (
        f"energies differ by {deviation.energy:.1e} eV/atom, forces by {deviation.forces:.1e} eV/Å, stresses by "
        f"{deviation.stress:.1e} eV/Å³ from the batches'"
    )
    arguments = (message, deviation.forces, allowed.forces, "eV/Å")
    if _exceeds(deviation, allowed):
        return measured("ASE calculator", *arguments).failed("calculator-differs-from-batch")
    return measured("ASE calculator", *arguments)


def as_calculator_model(model: Model) -> CalculatorModel:
    """Return a model's ASE calculator as a model of its own."""
    return CalculatorModel(model.calculator(), model.identity, model.elements, model.conservative)


def check_stress_tensor(model: Model, probes: Sequence[Probe]) -> Check:
    """Check that a stress which the ASE calculator gives as a matrix is a symmetric one."""
    name = "stress symmetry"
    asymmetry, size = 0.0, 0.0
    for probe in (probe for probe in probes if probe.is_crystal):
        try:
            stress = np.array(model.calculator().get_property("stress", probe.atoms.copy()), dtype=float)
        except PropertyNotImplementedError:
            return not_applicable(name, "the model gives no stress")
        if stress.size != 9:
            return not_applicable(name, "given as six components")
        stress = stress.reshape(3, 3)
        asymmetry = max(asymmetry, float(np.abs(stress - stress.T).max()))
        size = max(size, float(np.abs(stress).max()))
    allowed = DETERMINISM_MARGIN * EPSILON[model.dtype] * size
    message = f"off-diagonal components and their mirror images differ by {asymmetry:.1e}"
    if asymmetry > allowed:
        return measured(name, message, asymmetry, allowed, "eV/Å³").failed("stress-not-symmetric")
    return measured(name, message, asymmetry, allowed, "eV/Å³")


def check_input_untouched(model: Model, probes: Sequence[Probe]) -> Check:
    """Check that a model leaves the structures that it is given as they are."""
    check = measured("input untouched", "positions, cell and species are compared before and after")
    given = [probe.atoms.copy() for probe in probes]
    for atoms in given:
        atoms.positions -= 10.0  # far outside the cell, which tempts a model to wrap it
    before = [atoms.copy() for atoms in given]
    for atoms in given:
        model.evaluate_batch([atoms])
    changed = any(_differ(*pair) for pair in zip(given, before, strict=True))
    return check.failed("modifies-its-input") if changed else check


def _differ(atoms: Atoms, other: Atoms) -> bool:
    names = ("numbers", "positions", "cell", "pbc")
    return not all(np.array_equal(np.asarray(getattr(atoms, name)), np.asarray(getattr(other, name))) for name in names)


def _exceeds(deviation: Deviation, allowed: Deviation) -> bool:
    """Tell whether one of the differences is too large, or not a number."""
    within = (
        deviation.energy <= allowed.energy,
        deviation.forces <= allowed.forces,
        deviation.stress <= allowed.stress,
    )
    return not all(within)

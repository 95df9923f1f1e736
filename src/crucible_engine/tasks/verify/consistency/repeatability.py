"""Whether the same input gives the same numbers: again, after other structures, alone, and through ASE."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError

from crucible_engine.families.base import Evaluation, Model, is_periodic
from crucible_engine.families.calculators import CalculatorModel
from crucible_engine.tasks.verify.check import Check, not_applicable
from crucible_engine.tasks.verify.evaluator import Evaluator, is_finite
from crucible_engine.tasks.verify.precision import EPSILON, Deviation, Precision
from crucible_engine.tasks.verify.probes import Probe
from crucible_engine.wire.structures import are_same

REPETITIONS = 3
DETERMINISM_MARGIN = 300.0
"""Rounding errors that the order of a parallel sum may change; CHGNet's forces scatter by 15 of them on two threads."""
LARGEST_ENERGY = 1e6
"""eV an atom. The whole electron shell of uranium has 0.8e6."""
LARGEST_FORCE = 1e4
"""eV/Å, between atoms that are about as far apart as their covalent radii say."""
MOVES = (1e-4, 0.1)
"""Å along x, y and z, of one atom in the check of caches: a step that a tolerant comparison overlooks, a large one."""
CELL_STRETCH = 1.01
CELL_CHANGES = {"another cell around the same positions": False, "another cell with the same fractions": True}
"""How the cell is stretched in the check of caches, and whether the atoms go along."""


def check_finite(probes: Sequence[Probe], evaluations: Sequence[Evaluation]) -> list[Check]:
    """Check that a model gives numbers, and no absurd ones."""
    wrong = [probe.label for probe, item in zip(probes, evaluations, strict=True) if not gives_numbers(probe, item)]
    if wrong:
        message = f"NaN or infinity for {len(wrong)} of {len(probes)} probes: {', '.join(wrong)}"
        return [Check("finite values", message, float(len(wrong)), 0.0).failed("not-finite")]
    energy = max(abs(item.energy) / len(item.forces) for item in evaluations)
    force = max(float(np.abs(item.forces).max()) for item in evaluations)
    checks = [Check("finite values", f"energies, forces and stresses of {len(probes)} probes are numbers")]
    message = f"up to {energy:.3g} eV an atom and {force:.3g} eV/Å"
    is_absurd = energy > LARGEST_ENERGY or force > LARGEST_FORCE
    magnitude = Check("magnitude", message, energy, LARGEST_ENERGY, "eV/atom")
    return [*checks, magnitude.failed_if(is_absurd, "absurd-magnitude")]


def gives_numbers(probe: Probe, evaluation: Evaluation) -> bool:
    """Tell whether all numbers of a probe are finite; a stress may be absent, but no part of it."""
    return is_finite(evaluation, stress=probe.is_crystal and not np.isnan(evaluation.stress).all())


def check_determinism(
    evaluator: Evaluator, probes: Sequence[Probe], first: Sequence[Evaluation]
) -> tuple[Check, Precision]:
    """Check that the same structures give the same numbers again; return how much they scatter as well."""
    structures = [probe.atoms for probe in probes]
    repeated = [evaluator(structures) for _ in range(REPETITIONS - 1)]
    # Once more, each by itself and after the others: a cache or a state that is carried on shows here.
    # The second time in the opposite order, so that each has another one before it.
    alone = [evaluator.alone(atoms) for atoms in structures]
    reversed_alone = [evaluator.alone(atoms) for atoms in reversed(structures)][::-1]
    pairs = [(first, again) for again in repeated] + [(alone, reversed_alone)]
    scatter = Deviation.worst(Deviation.of(*pair) for lists in pairs for pair in zip(*lists, strict=True))
    epsilon = EPSILON[evaluator.model.dtype]
    allowed = _reproducible(evaluator, first)
    message = (
        f"evaluated again, energies change by {scatter.energy:.1e} eV/atom, forces by {scatter.forces:.1e} eV/Å, "
        f"stresses by {scatter.stress:.1e} eV/Å³"
    )
    check = Check("determinism", message, scatter.forces, allowed.forces, "eV/Å")
    return check.failed_if(not scatter.is_within(allowed), "not-deterministic"), Precision(epsilon, scatter)


def check_caches(evaluator: Evaluator, probes: Sequence[Probe]) -> Check:
    """Check that a structure does not get the numbers of one before it, whatever they differ in."""
    unchanged: dict[str, list[bool]] = {}
    for probe in probes:
        seen = [evaluator.alone(probe.atoms)]
        # A lone atom, or the only one of a cell, may be anywhere.
        bound = len(probe.atoms) > 1 and bool(seen[0].forces[0].any())
        for change, atoms in changed_structures(probe):
            evaluation = evaluator.alone(atoms)
            same = any(_same(evaluation, other) for other in seen)
            unchanged.setdefault(change, []).append(same and (bound or change in CELL_CHANGES))
            seen.append(evaluation)
    # Void around a molecule or a slab may rightly be made larger without effect, but not the cell of a crystal.
    stale = [change for change, found in unchanged.items() if (all if change in CELL_CHANGES else any)(found)]
    if stale:
        return Check("caches", f"nothing changes with {', '.join(stale)}").failed("stale-results")
    return Check("caches", f"the numbers change with {', '.join(unchanged)}")


def changed_structures(probe: Probe) -> Iterator[tuple[str, Atoms]]:
    """Yield structures that differ from a probe in one thing each, and what it is."""
    for distance in MOVES:
        moved = probe.atoms.copy()
        moved.positions[0] += distance
        yield f"an atom moved by {distance} Å", moved
    if probe.is_crystal:
        for change, scale_atoms in CELL_CHANGES.items():
            strained = probe.atoms.copy()
            strained.set_cell(strained.cell.array * CELL_STRETCH, scale_atoms=scale_atoms)
            yield change, strained


def drift_since(evaluator: Evaluator, atoms: Atoms, first: Evaluation) -> Deviation:
    """Return by how much the numbers of the very first structure have changed."""
    again = evaluator.alone(atoms)
    return Deviation.of(first, again) if is_finite(first) and is_finite(again) else Deviation()


def check_drift(evaluator: Evaluator, atoms: Atoms, first: Evaluation) -> Check:
    """Check that the very first structure has the same numbers after all others."""
    count = evaluator.count
    deviation = Deviation.of(first, evaluator.alone(atoms))
    allowed = _reproducible(evaluator, [first])
    message = (
        f"after {count} others the first structure's energy differs by {deviation.energy:.1e} eV/atom, its forces by "
        f"{deviation.forces:.1e} eV/Å"
    )
    check = Check("drift", message, deviation.energy, allowed.energy, "eV/atom")
    if not is_finite(first):
        return check.unjudged("there were no numbers at first: see finite values")
    return check.failed_if(not deviation.is_within(allowed), "not-deterministic")


def check_batches(
    evaluator: Evaluator, probes: Sequence[Probe], together: Sequence[Evaluation], precision: Precision
) -> Check:
    """Check that structures evaluated together get the numbers that each gets alone."""
    alone = [evaluator.alone(probe.atoms) for probe in probes]
    deviation = Deviation.worst(Deviation.of(*pair) for pair in zip(together, alone, strict=True))
    allowed = precision.tolerance(alone)
    message = f"in a batch energies differ by {deviation.energy:.1e} eV/atom, forces by {deviation.forces:.1e} eV/Å"
    check = Check("batches", message, deviation.forces, allowed.forces, "eV/Å")
    return check.failed_if(not deviation.is_within(allowed), "batch-differs-from-single")


def check_calculator(
    model: Model, probes: Sequence[Probe], evaluations: Sequence[Evaluation], precision: Precision
) -> Check:
    """Check that the ASE calculator, which relaxations use, says what the batches say."""
    if isinstance(model, CalculatorModel):
        return not_applicable("ASE calculator", "the model is an ASE calculator: everything is checked through it")
    single = as_calculator_model(model, model.calculator())
    others = [single.evaluate_batch([probe.atoms.copy()])[0] for probe in probes]
    deviation = Deviation.worst(Deviation.of(*pair) for pair in zip(evaluations, others, strict=True))
    allowed = precision.tolerance(evaluations)
    message = (
        f"energies differ by {deviation.energy:.1e} eV/atom, forces by {deviation.forces:.1e} eV/Å, stresses by "
        f"{deviation.stress:.1e} eV/Å³ from the batches'"
    )
    check = Check("ASE calculator", message, deviation.forces, allowed.forces, "eV/Å")
    return check.failed_if(not deviation.is_within(allowed), "calculator-differs-from-batch")


def as_calculator_model(model: Model, calculator: Calculator) -> CalculatorModel:
    """Return an ASE calculator of a model as a model of its own."""
    return CalculatorModel(calculator, model.identity, model.elements, model.conservative)


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
    return Check(name, message, asymmetry, allowed, "eV/Å³").failed_if(asymmetry > allowed, "stress-not-symmetric")


def check_input_untouched(model: Model, probes: Sequence[Probe]) -> Check:
    """Check that a model leaves the structures that it is given as they are."""
    check = Check("input untouched", "positions, cell and species are compared before and after")
    given = [probe.atoms.copy() for probe in probes]
    for atoms in given:
        atoms.positions -= 10.0  # far outside the cell, which tempts a model to wrap it
    before = [atoms.copy() for atoms in given]
    for atoms in given:
        model.evaluate_batch([atoms])
        if isinstance(model, CalculatorModel):
            # Runs hand it the moving structure itself, and no copy.
            _ask(model.calculator(), atoms)
    changed = not all(are_same(*pair) for pair in zip(given, before, strict=True))
    return check.failed_if(changed, "modifies-its-input")


def _ask(calculator: Calculator, atoms: Atoms) -> None:
    """Ask a calculator for what integrators and optimizers ask, of the very structure that they move."""
    calculator.reset()
    calculator.get_property("energy", atoms)
    calculator.get_property("forces", atoms)
    if is_periodic(atoms):
        with contextlib.suppress(PropertyNotImplementedError):
            calculator.get_property("stress", atoms)


def _reproducible(evaluator: Evaluator, evaluations: Sequence[Evaluation]) -> Deviation:
    """Return by how much the same structures may differ when they are evaluated again."""
    return Precision(EPSILON[evaluator.model.dtype], Deviation()).tolerance(evaluations, DETERMINISM_MARGIN)


def _same(evaluation: Evaluation, other: Evaluation) -> bool:
    return evaluation.energy == other.energy and np.array_equal(evaluation.forces, other.forces)

"""What must not change: under translation, rotation, inversion, permutation, wrapping, with another choice of cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.stress import full_3x3_to_voigt_6_stress, voigt_6_to_full_3x3_stress
from numpy.typing import NDArray

from crucible_engine.families.base import Evaluation
from crucible_engine.tasks.verify.check import Check, not_applicable
from crucible_engine.tasks.verify.evaluator import Evaluator
from crucible_engine.tasks.verify.precision import Deviation, Precision
from crucible_engine.tasks.verify.probes import Probe, random_rotation

Array = NDArray[np.float64]

OTHER_CELL = np.array([[0, 1, 1], [1, 1, 0], [1, 1, 1]])
"""Lattice vectors of the same lattice, determinant -1: a stress over a signed volume shows as well."""


EXACT = Deviation()


@dataclass(frozen=True)
class Transformed:
    """A structure after an operation, and how to compare what a model says of both.

    :param order: index of the original atom of each atom.
    :param rotation: matrix that rotated vectors as columns, [3, 3].
    """

    atoms: Atoms
    order: NDArray[np.intp]
    rotation: Array

    def expected(self, base: Evaluation) -> Evaluation:
        """Return what a model should say of the new structure."""
        forces = base.forces[self.order] @ self.rotation.T
        stress = self.rotation @ voigt_6_to_full_3x3_stress(base.stress) @ self.rotation.T
        return Evaluation(base.energy, forces, full_3x3_to_voigt_6_stress(stress))


@dataclass(frozen=True)
class Operation:
    """Something that must not change the physics.

    :param name: what messages call it, also in the fault's name ``not-invariant-under-…``.
    :param repetitions: how often it is tried, with other random numbers.
    :param crystals_only: whether it has a meaning in three periodic directions alone.
    :param turns: whether directions in space change, which some networks are only trained to heed.
    :param excused: what a model may change by design, however exact its arithmetic is.
    """

    name: str
    apply: Callable[[Atoms, np.random.Generator], Transformed]
    repetitions: int = 1
    crystals_only: bool = False
    turns: bool = False
    excused: Deviation = EXACT


@dataclass(frozen=True)
class Outcome:
    """What a model said after an operation.

    :param expected: what it should have said, for each probe and repetition.
    """

    operation: Operation
    expected: list[Evaluation]
    found: list[Evaluation]

    def deviation(self) -> Deviation:
        """Return the largest differences."""
        return Deviation.worst(Deviation.of(*pair) for pair in zip(self.expected, self.found, strict=True))

    def scatter_of(self, quantity: str) -> float:
        """Return the rms difference of ``energy`` (eV) or of the components of ``forces`` (eV/Å)."""
        pairs = zip(self.expected, self.found, strict=True)
        differences = [np.ravel(getattr(a, quantity) - getattr(b, quantity)) for a, b in pairs]
        return float(np.sqrt(np.mean(np.concatenate(differences) ** 2))) if differences else 0.0


def translate(atoms: Atoms, rng: np.random.Generator) -> Transformed:
    """Shift all atoms alike, by no lattice vector, without wrapping them."""
    return _changed(atoms, atoms.positions + rng.uniform(-3.0, 3.0, size=3))


def permute(atoms: Atoms, rng: np.random.Generator) -> Transformed:
    """Put the atoms in another order."""
    order = np.roll(rng.permutation(len(atoms)), 1)
    if (order == np.arange(len(atoms))).all():
        order = np.roll(order, 1)
    return Transformed(atoms[order], order, np.eye(3))


def wrap(atoms: Atoms, rng: np.random.Generator) -> Transformed:
    """Shift each atom by a lattice vector of its own, along periodic directions."""
    shifts = (rng.integers(-2, 3, size=(len(atoms), 3)) * atoms.pbc) @ atoms.cell.array
    return _changed(atoms, atoms.positions + shifts)


def rotate(atoms: Atoms, rng: np.random.Generator) -> Transformed:
    """Turn the cell and everything in it."""
    rotation = random_rotation(rng)
    return _changed(atoms, atoms.positions @ rotation.T, atoms.cell.array @ rotation.T, rotation)


def invert(atoms: Atoms, rng: np.random.Generator) -> Transformed:
    """Mirror everything at a point; the lattice stays the same, and so do its vectors."""
    del rng
    return _changed(atoms, -atoms.positions, rotation=-np.eye(3))


def choose_other_cell(atoms: Atoms, rng: np.random.Generator) -> Transformed:
    """Describe the same crystal with other lattice vectors."""
    del rng
    return _changed(atoms, atoms.positions, OTHER_CELL @ atoms.cell.array)


def _changed(atoms: Atoms, positions: Array, cell: Array | None = None, rotation: Array | None = None) -> Transformed:
    moved = atoms.copy()
    if cell is not None:
        moved.set_cell(cell, scale_atoms=False)
    moved.positions = positions
    return Transformed(moved, np.arange(len(atoms)), np.eye(3) if rotation is None else rotation)


MIRRORED = Deviation(energy=2e-3, forces=2e-2, stress=1e-3)
"""Released networks that know rotations but no mirrors (SevenNet's) differ by up to 0.4 meV/atom and 4 meV/Å here."""

OPERATIONS = (
    Operation("translation", translate, repetitions=3),
    Operation("permutation", permute, repetitions=2),
    Operation("wrapping", wrap),
    Operation("rotation", rotate, repetitions=2, turns=True),
    Operation("inversion", invert, turns=True, excused=MIRRORED),
    Operation("cell-choice", choose_other_cell, crystals_only=True),
)
NOISE_OF = ("translation", "permutation")
"""The operations whose scatter is the float noise: they change nothing but the order and the rounding of sums."""


def perform(
    evaluator: Evaluator, probes: Sequence[Probe], bases: Sequence[Evaluation], rng: np.random.Generator
) -> list[Outcome]:
    """Evaluate every probe after every operation."""
    outcomes = []
    for operation in OPERATIONS:
        pairs = [
            (operation.apply(probe.atoms, rng), base)
            for probe, base in zip(probes, bases, strict=True)
            if probe.is_crystal or not operation.crystals_only
            for _ in range(operation.repetitions)
        ]
        expected = [transformed.expected(base) for transformed, base in pairs]
        outcomes.append(Outcome(operation, expected, evaluator([transformed.atoms for transformed, _ in pairs])))
    return outcomes


UNITS = {"energy": "eV/atom", "forces": "eV/Å", "stress": "eV/Å³"}


@dataclass(frozen=True)
class Judge:
    """Judges what a model said after operations.

    :param compared: which of ``energy``, ``forces`` and ``stress`` mean something in this model.
    :param equivariant: whether the model heeds directions in space by construction.
    """

    precision: Precision
    compared: Sequence[str]
    equivariant: bool

    def check(self, outcome: Outcome, misses_images: bool = False) -> Check:
        """Return the check of one operation.

        :param misses_images: whether its energy is known to depend on the cell, since it misses periodic images.
        """
        operation = outcome.operation
        if not outcome.expected:
            return not_applicable(operation.name, "no probe is periodic in three directions")
        if operation.crystals_only and misses_images:
            return not_applicable(operation.name, "a model that misses periodic images depends on the cell")
        check, within = self._compare(outcome)
        if within:
            return check
        if operation.turns and not self.equivariant:
            # Its size depends on the training, and no limit separates right from wrong.
            return check.unjudged("the network knows directions by its training alone")
        return check.failed(f"not-invariant-under-{operation.name}")

    def _compare(self, outcome: Outcome) -> tuple[Check, bool]:
        """Return what changed, and whether all of it is within the tolerances."""
        deviation = outcome.deviation()
        allowed = self.precision.tolerance(outcome.expected).at_least(outcome.operation.excused)
        excess = {name: getattr(deviation, name) / getattr(allowed, name) for name in self.compared}
        worst = max(excess, key=lambda name: np.nan_to_num(excess[name], nan=np.inf))
        changes = ", ".join(f"{name} {getattr(deviation, name):.1e} {UNITS[name]}" for name in self.compared)
        values = (getattr(deviation, worst), getattr(allowed, worst), UNITS[worst])
        return Check(outcome.operation.name, f"changes: {changes}", *values), bool(excess[worst] <= 1.0)

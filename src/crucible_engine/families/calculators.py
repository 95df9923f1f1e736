"""Any ASE calculator as a model, one structure after the other; calculators without a past, and around others."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.stress import full_3x3_to_voigt_6_stress
from numpy.typing import NDArray

from crucible_engine.families.base import NO_STRESS, Evaluation, Identity, Loader, Model, is_periodic, numbers_of
from crucible_engine.families.facts import CONSERVATIVE, digest_of_parameters
from crucible_engine.families.file_loader import only_cpu
from crucible_engine.families.weights import require_digest
from crucible_engine.wire.schema import ModelReference

PROPERTIES = ("energy", "free_energy", "forces", "stress")


class CalculatorModel(Model):
    """A model that is no more than an ASE calculator.

    :param elements: atomic numbers that it knows; empty where that is unknown.
    :param conservative: whether its forces are said to be the gradient of its energy.
    :param remembers: whether it may keep something, such as a neighbour list, from one structure to the next.
    """

    def __init__(
        self,
        ase_calculator: Calculator,
        identity: Identity,
        elements: frozenset[int] = frozenset(),
        conservative: bool = True,
        remembers: bool = False,
    ) -> None:
        super().__init__(identity, elements, conservative)
        self.remembers = remembers
        self._calculator = ase_calculator
        self._other: CalculatorModel | None = None
        self.gives_stress = gives(ase_calculator, "stress")

    def beside(self, other: CalculatorModel) -> None:
        """Make two models one with both kinds of forces."""
        self._other, other._other = other, self

    @property
    def has_direct_forces(self) -> bool:
        """Whether it has direct forces, alone or beside the energy's gradient."""
        return self._other is not None or not self.conservative

    def with_forces(self, kind: str) -> CalculatorModel:
        """Return itself or the model beside it, see :meth:`Model.with_forces`."""
        if self._other is not None and self.conservative != (kind == CONSERVATIVE):
            return self._other
        super().with_forces(kind)
        return self

    def calculator(self) -> Calculator:
        """Return the calculator itself."""
        return self._calculator

    def atoms_per_batch(self) -> int:
        """Return 1: an ASE calculator takes one structure at a time."""
        return 1

    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        return [self._evaluate_one(atoms, stress) for atoms in batch]

    def _evaluate_one(self, atoms: Atoms, stress: bool) -> Evaluation:
        # Asked directly, since Atoms.get_forces would apply the constraints that a structure carries.
        structure = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        # What is left of the structure before (EMT keeps its neighbours) would change the last digits of this one.
        self._calculator.reset()
        energy = self._calculator.get_property("energy", structure)
        forces = self._calculator.get_property("forces", structure)
        return Evaluation(float(energy), np.array(forces, dtype=float), self._stress(structure, stress))

    def _stress(self, structure: Atoms, wanted: bool) -> Any:
        if not wanted or not is_periodic(structure):
            return NO_STRESS.copy()
        try:
            stress = np.array(self._calculator.get_property("stress", structure), dtype=float)
        except PropertyNotImplementedError:
            return NO_STRESS.copy()
        return stress if stress.shape == (6,) else stress.reshape(3, 3)[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]


class FreshCalculators:
    """Gives a task a calculator to begin with, whenever it begins: a job that is continued sees what another one saw.

    A model whose answers depend on the structure alone keeps its calculator. One that may remember something (an ASE
    calculator of the user's own, with a neighbour list that is reused) gets a fresh one: a task asks for it at moments
    that are known beforehand, and continues from such a moment only.
    """

    def __init__(self, model: Model) -> None:
        self.remember = model.remembers
        self._model = model
        self._pristine = copy.deepcopy(model.calculator()) if self.remember else None

    def new(self) -> Calculator:
        """Return a calculator that nothing was asked, or that forgets what it was."""
        return copy.deepcopy(self._pristine) if self.remember else self._model.calculator()

    def describe(self) -> dict[str, Any]:
        """Return what a summary says of them: nothing beside the model itself."""
        return {}


def loader(make: Callable[[ModelReference], Calculator], parameters: Any, symbols: Iterable[str]) -> Loader:
    """Return the function ``load`` of an adapter whose potential has no file of weights and runs on the CPU.

    :param make: returns the calculator of a reference that is complete.
    :param parameters: JSON-serializable numbers that the potential is made of; their digest stands for that of weights.
    """
    digest = digest_of_parameters(parameters)
    elements = numbers_of(symbols)

    def load(reference: ModelReference, device: str) -> CalculatorModel:
        on = only_cpu(reference, device)
        in_words = " ".join(dict.fromkeys([reference.family, reference.name or ""])).strip()
        require_digest(digest, reference.sha256, in_words)
        identity = Identity(reference.family, digest, reference.dtype, on, reference.name, reference.settings)
        return CalculatorModel(make(reference), identity, elements)

    return load


def stress_given(atoms: Atoms) -> NDArray[np.float64]:
    """Return the stress [6], eV/Å³, of a structure with its calculator, as that gives it; NaN where there is none."""
    if not is_periodic(atoms):
        return NO_STRESS
    try:
        return np.asarray(atoms.get_stress(apply_constraint=False), dtype=np.float64)
    except PropertyNotImplementedError:
        return NO_STRESS


def gives(calculator: Calculator, name: str) -> bool:
    """Tell whether a calculator says that it has a property; one that says nothing may have all."""
    said = getattr(calculator, "implemented_properties", None)
    return not said or name in said


class WrappingCalculator(Calculator):
    """Asks another calculator, with a structure of its own: nothing that one does to it comes back.

    Several of them may share one calculator, and each has its own memory of what it was asked last.
    """

    implemented_properties: tuple[str, ...] = PROPERTIES

    def __init__(self, inner: Calculator) -> None:
        super().__init__()
        self.inner = inner

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Ask the inner calculator for what is wanted, and keep what comes along."""
        super().calculate(atoms, properties, system_changes)
        self.results.update(self.ask(self.atoms, properties))

    def ask(self, atoms: Atoms, properties: Sequence[str]) -> dict[str, Any]:
        """Return copies of what the inner calculator says of a structure.

        :param atoms: the structure; it stays as it is.
        :raises ase.calculators.calculator.PropertyNotImplementedError: where the inner calculator has no such property.
        """
        bare = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        wanted = {name: self.inner.get_property(name, bare) for name in properties}
        came_along = getattr(self.inner, "results", {})
        found = {name: came_along[name] for name in PROPERTIES if name in came_along} | wanted
        return {name: _plain(name, value) for name, value in found.items()}


def _plain(name: str, value: Any) -> Any:
    """Return an energy as a number, forces and stress as an array of one's own, the latter in Voigt's order."""
    if name in ("energy", "free_energy"):
        return float(value)
    array = np.array(value, dtype=np.float64)
    return full_3x3_to_voigt_6_stress(array) if name == "stress" and array.shape == (3, 3) else array

"""What every model family gives the tasks: evaluation of batches and an ASE calculator, in ASE's units and signs."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.data import atomic_numbers, chemical_symbols
from ase.stress import full_3x3_to_voigt_6_stress
from numpy.typing import NDArray

from crucible_engine.families.facts import CONSERVATIVE, DIRECT
from crucible_engine.wire.results import is_out_of_memory
from crucible_engine.wire.schema import Condition, EngineError, ModelReference

NO_STRESS = np.full(6, np.nan)
"""Stress of what has none: a structure that is not periodic in three directions, or where none was asked for."""


CPU_ATOMS_PER_BATCH = 40
GPU_FIRST_ATOMS_PER_BATCH = 256


@dataclass(frozen=True)
class Ensemble:
    """What each member of a committee says of one structure.

    :param energies: eV, shape [n_members].
    :param forces: eV/Å, shape [n_members, n_atoms, 3].
    :param stresses: eV/Å³, shape [n_members, 6], see :class:`Evaluation`.
    """

    energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    stresses: NDArray[np.float64]


@dataclass(frozen=True)
class Evaluation:
    """What a model says of one structure.

    :param energy: potential energy of the whole cell, eV (the one that the forces derive from).
    :param forces: eV/Å, shape [n_atoms, 3], float64.
    :param stress: eV/Å³, ASE's sign, Voigt xx yy zz yz xz xy, shape [6], float64; NaN where the structure is not
        periodic in three directions or stress was not asked for.
    :param ensemble: what the members say, of which this is the mean; ``None`` where there are none.
    """

    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]
    ensemble: Ensemble | None = None


@dataclass(frozen=True)
class Identity:
    """Which potential a model is, as results report it.

    :param sha256: hexadecimal digest of the weights that were really loaded.
    :param dtype: ``float32`` or ``float64``.
    :param device: torch's name of the device, ``cpu`` for what has no torch.
    :param name: name of released weights; ``None`` for a checkpoint file.
    :param settings: the settings that change its answers, complete with defaults.
    """

    family: str
    sha256: str
    dtype: str
    device: str
    name: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)


class Model(abc.ABC):
    """A loaded potential.

    :param elements: atomic numbers that it was trained on; empty where that is unknown.
    :param conservative: whether the forces are the gradient of the energy by construction.
    :cvar equivariant: whether a turned structure has turned forces by construction, and not only as far as the network
        was trained to.
    :ivar gives_stress: whether crystals get a stress, as far as that is known before anything was computed.
    :cvar remembers: whether what its calculator was asked before may change the last digits of its answers.
    :cvar n_members: how many members its answers are the mean of; 0 for a model that gives no ensemble.
    :cvar ensemble_size: how many members the weights have, whether they are asked for or not, see
        :data:`crucible_engine.families.facts.ENSEMBLE`; 0 where there are none.
    """

    equivariant = True
    remembers = False
    n_members = 0
    ensemble_size = 0

    def __init__(self, identity: Identity, elements: frozenset[int], conservative: bool = True) -> None:
        self.identity = identity
        self.family = identity.family
        self.name = identity.name
        self.sha256 = identity.sha256
        self.dtype = identity.dtype
        self.device = identity.device
        self.settings = identity.settings
        self.elements = elements
        self.conservative = conservative
        self.gives_stress = True

    @property
    def has_direct_forces(self) -> bool:
        """Whether it has direct forces, alone or beside the energy's gradient."""
        return not self.conservative

    def with_forces(self, kind: str) -> Model:
        """Return the model with one kind of forces, conservative or direct, which shares its weights.

        :raises EngineError: ``CAPABILITY_MISSING``, if it has no forces of that kind.
        """
        own = CONSERVATIVE if self.conservative else DIRECT
        if kind == own:
            return self
        raise EngineError(
            Condition.CAPABILITY_MISSING,
            f"{self.family} {self.name or self.sha256[:12]} has no {kind} forces beside its {own} ones: choose another "
            "model",
        )

    def evaluate_batch(self, batch: Sequence[Atoms], stress: bool = True) -> list[Evaluation]:
        """Evaluate structures at once, through the package's own batching.

        :param batch: the structures; their sizes and species may differ.
        :param stress: whether stresses are wanted.
        :raises EngineError: ``UNSUPPORTED_ELEMENT``, if one contains an element that the model was not trained on.
        :raises MemoryError: if the device's memory does not suffice (torch's own errors are turned into this one).
        """
        for atoms in batch:
            self.require_elements(atoms)
        try:
            return self._evaluate(batch, stress)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise MemoryError(str(error).split("\n")[0]) from error
            raise

    def require_elements(self, atoms: Atoms) -> None:
        """Check that the model was trained on every element of a structure.

        :raises EngineError: ``UNSUPPORTED_ELEMENT``, with those that it does not know.
        """
        unknown = set(map(int, np.unique(atoms.numbers))) - self.elements
        if self.elements and unknown:
            symbols = ", ".join(chemical_symbols[number] for number in sorted(unknown))
            raise EngineError(
                Condition.UNSUPPORTED_ELEMENT,
                f"{self.family} {self.name or self.sha256[:12]} was not trained on {symbols} "
                f"(in {atoms.get_chemical_formula(empirical=True)}): choose another model",
            )

    @abc.abstractmethod
    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        """Do what :meth:`evaluate_batch` says, for elements that are known."""

    def calculator(self) -> Calculator:
        """Return an ASE calculator that shares this model's weights."""
        return ModelCalculator(self)

    def member(self, index: int) -> Model:
        """Return one member of the ensemble as a model of its own, which shares its weights.

        :param index: less than ``n_members``.
        """
        return _Member(self, index)

    def atoms_per_batch(self) -> int:
        """Return how many atoms a batch should hold for speed; 1 means one structure at a time.

        On a CPU this is the optimum, on another device where the search for it starts. Measured with CHGNet 0.3.0,
        SevenNet-0, a small MACE, orb-v2 and orb-v3 on one and two cores: cells of 5 and 10 atoms gain 5 to 50 % from
        company, cells of 40 and more gain nothing or lose, because the intermediate arrays leave the caches.
        """
        return CPU_ATOMS_PER_BATCH if self.device == "cpu" else GPU_FIRST_ATOMS_PER_BATCH


Loader = Callable[[ModelReference, str], Model]
"""``load`` of a family's module ``adapter``: returns the model of a reference that is complete, on a device.

What all have in common is written once: for weights that torch saved in
:class:`crucible_engine.families.torch_checkpoint.CheckpointLoader`, for what has no file of weights in
:func:`crucible_engine.families.calculators.loader`."""


class _Member(Model):
    """One member of a model with an ensemble."""

    def __init__(self, whole: Model, index: int) -> None:
        super().__init__(whole.identity, whole.elements, whole.conservative)
        self.equivariant, self.remembers, self.gives_stress = whole.equivariant, whole.remembers, whole.gives_stress
        self._whole, self._index = whole, index

    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        ensembles = [evaluation.ensemble for evaluation in self._whole.evaluate_batch(batch, stress)]
        index = self._index
        return [
            Evaluation(float(one.energies[index]), one.forces[index], one.stresses[index])
            for one in ensembles
            if one is not None
        ]


class ModelCalculator(Calculator):
    """A model as an ASE calculator: the numbers of :meth:`Model.evaluate_batch`, in the model's precision."""

    implemented_properties = ("energy", "free_energy", "forces", "stress")

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Evaluate one structure; its stress comes along, since it costs little beside the forces."""
        super().calculate(atoms, properties, system_changes)
        (evaluation,) = self.model.evaluate_batch([self.atoms])
        self.results = {
            "energy": evaluation.energy,
            "free_energy": evaluation.energy,
            "forces": evaluation.forces,
        }
        absent = np.isfinite(evaluation.energy) and np.isnan(evaluation.stress).all()
        if is_periodic(self.atoms) and not absent:
            self.results["stress"] = evaluation.stress


def numbers_of(symbols: Iterable[str]) -> frozenset[int]:
    """Return the atomic numbers of chemical symbols."""
    return frozenset(atomic_numbers[symbol] for symbol in symbols)


def is_periodic(atoms: Atoms) -> bool:
    """Tell whether a structure has a stress: periodic in three directions."""
    return bool(atoms.pbc.all())


def in_a_cell(atoms: Atoms, reach: float) -> Atoms:
    """Return the structure alone, periodic in all directions, for a package that knows nothing else.

    :param reach: Å, of the potential: where the structure is not periodic, its images are farther apart than that.
    """
    cell = atoms.cell.copy()
    cell[~atoms.pbc] = 0
    cell = cell.complete()
    for index in np.flatnonzero(~atoms.pbc):
        direction = cell[index] / np.linalg.norm(cell[index])
        cell[index] = direction * (np.ptp(atoms.positions @ direction) + 1.01 * reach)
    return Atoms(atoms.numbers, positions=atoms.positions, cell=cell, pbc=True)


def stress_of(atoms: Atoms, stress: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Return a package's stress as :class:`Evaluation` has it.

    :param stress: eV/Å³, ASE's sign, shape [6] in ASE's order or [3, 3]; ``None`` where it was not asked for.
    """
    if stress is None or not is_periodic(atoms):
        return NO_STRESS.copy()
    return np.asarray(full_3x3_to_voigt_6_stress(stress) if stress.shape == (3, 3) else stress)

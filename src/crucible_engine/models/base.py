"""What every model family gives the tasks: evaluation of batches and an ASE calculator, in ASE's units and signs."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from numpy.typing import NDArray


@dataclass(frozen=True)
class Evaluation:
    """What a model says of one structure.

    :param energy: potential energy of the whole cell, eV (the one that the forces derive from).
    :param forces: eV/Å, shape [n_atoms, 3], float64.
    :param stress: eV/Å³, ASE's sign, Voigt xx yy zz yz xz xy, shape [6], float64; NaN where the structure is not
        periodic in three directions or stress was not asked for.
    """

    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]


class Model(abc.ABC):
    """A loaded potential.

    :ivar family: its family's name.
    :ivar sha256: hexadecimal digest of the weights that were really loaded.
    :ivar elements: atomic numbers that it was trained on.
    :ivar dtype: ``float32`` or ``float64``.
    :ivar device: torch's name of the device, ``cpu`` for what has no torch.
    :ivar conservative: whether the forces are the gradient of the energy by construction.
    :ivar settings: the settings that change its answers, complete with defaults.
    :ivar theory: level of theory, as far as the package or the checkpoint tells.
    """

    family: str
    sha256: str
    elements: frozenset[int]
    dtype: str
    device: str
    conservative: bool = True
    settings: dict[str, Any]

    @abc.abstractmethod
    def evaluate_batch(self, batch: Sequence[Atoms], stress: bool = True) -> list[Evaluation]:
        """Evaluate structures at once, through the package's own batching.

        :param batch: the structures; their sizes and species may differ.
        :param stress: whether stresses are wanted.
        :raises MemoryError: if the device's memory does not suffice (torch's own error is turned into this one).
        """

    @abc.abstractmethod
    def calculator(self) -> Calculator:
        """Return an ASE calculator that shares this model's weights."""

    def atoms_per_batch(self) -> int:
        """Return how many atoms a batch should hold for speed on this device; 1 means one structure at a time."""
        return 1

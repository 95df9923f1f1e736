"""What a family's module ``train`` gives the task of that name: a trainer, which runs the package's own.

The module has a function ``trainer(model, data, settings)``, which returns a :class:`Trainer`. One settings vocabulary
is translated there into the package's; what is given as ``extra`` is handed through.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

ERRORS = ("energy", "force", "stress")
"""What has an error: the energy an atom (eV), a component of a force (eV/Å), one of the stress (eV/Å³)."""


@dataclass(frozen=True)
class TrainingData:
    """Labelled structures.

    :param structures: their geometries.
    :param energies: eV, shape [n].
    :param forces: eV/Å, each of shape [n_atoms, 3].
    :param stresses: eV/Å³, ASE's sign, Voigt, shape [n, 6]; NaN where a structure has none.
    :param training: indices of those that are trained on.
    :param validation: indices of those that tell which weights are best.
    """

    structures: Sequence[Atoms]
    energies: NDArray[np.float64]
    forces: Sequence[NDArray[np.float64]]
    stresses: NDArray[np.float64]
    training: NDArray[np.int64]
    validation: NDArray[np.int64]

    @property
    def has_stress(self) -> bool:
        """Whether a structure has a stress."""
        return bool(np.isfinite(self.stresses).any())


@dataclass(frozen=True)
class TrainingSettings:
    """The settings vocabulary; see :data:`crucible_engine.tasks.train.parameters.TRAIN` for ranges.

    :param method: one of :data:`crucible_engine.families.facts.METHODS`.
    :param energy_weight: of the mean squared error of the energy an atom, (eV/atom)².
    :param force_weight: of that of components of forces, (eV/Å)².
    :param stress_weight: of that of components of stresses, GPa².
    :param loss: ``mse``, or ``huber`` or ``mae`` in place of squared errors.
    :param patience: epochs without a better validation after which it is enough; ``None`` for all epochs.
    :param ema: decay of the exponential moving average of weights that is validated and kept; ``None`` for the weights
        themselves.
    :param extra: the package's own settings.
    """

    method: str
    epochs: int
    learning_rate: float
    energy_weight: float
    force_weight: float
    stress_weight: float
    loss: str
    batch_size: int
    seed: int
    patience: int | None = None
    ema: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class DivergedError(Exception):
    """The loss, or a weight, is no finite number any more.

    :param epoch: in which, from 1.
    :param step: after how many steps of the optimizer, from 1.
    """

    def __init__(self, epoch: int, step: int) -> None:
        super().__init__(f"the loss is no finite number in epoch {epoch}, at step {step}")
        self.epoch, self.step = epoch, step


class Control(abc.ABC):
    """What is done between the steps of a training; what it raises ends the training there."""

    @abc.abstractmethod
    def after_step(self, trainer: Trainer, loss: float) -> None:
        """Do what is due after a step of the optimizer: progress, a checkpoint, an end."""

    @abc.abstractmethod
    def after_epoch(self, trainer: Trainer) -> None:
        """Do what is due after an epoch, whose row is the last of ``trainer.history``."""


class Trainer(abc.ABC):
    """A training on its way.

    :ivar epoch: epochs that are done.
    :ivar step: steps of the optimizer that are done.
    :ivar steps_per_epoch: of the optimizer.
    :ivar history: a row an epoch, by the names of :data:`crucible_engine.wire.training.CURVES`.
    :ivar n_weights: how many numbers are trained.
    :ivar best_epoch: that whose weights are the best so far; ``None`` before the first is done.
    """

    epoch: int
    step: int
    steps_per_epoch: int
    history: list[dict[str, float]]
    n_weights: int
    best_epoch: int | None

    @abc.abstractmethod
    def run(self, control: Control) -> bool:
        """Train from where it stands to the end.

        :return: whether the patience ended it.
        :raises DivergedError: if the loss is no number any more.
        """

    @abc.abstractmethod
    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return all that the rest of the training depends on: what JSON can hold, and arrays by name."""

    @abc.abstractmethod
    def restore(self, scalars: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        """Go on from a state.

        :raises ValueError: one line, if it is that of another training.
        """

    @abc.abstractmethod
    def digest(self) -> str | None:
        """Return the hexadecimal sha256 of the numbers of the best weights, by name; ``None`` before there are any."""

    @abc.abstractmethod
    def write_weights(self, path: Path) -> None:
        """Write the best weights as the family's package saves them, so that its adapter reads the file.

        :raises OSError: if the disk is full; what was there is still there.
        """

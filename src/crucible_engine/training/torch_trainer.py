"""What the trainings of all families with torch have in common: order, averages, the best weights, state, errors.

A family lets its package's trainer loop over :meth:`TorchTrainer.batches`, tells the loss of each batch with
:meth:`TorchTrainer.note`, and calls :meth:`TorchTrainer.end_epoch`.
"""

from __future__ import annotations

import abc
import contextlib
import hashlib
import math
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from crucible_engine.training.contract import (
    ERRORS,
    Control,
    DivergedError,
    Trainer,
    TrainingData,
    TrainingSettings,
)
from crucible_engine.training.torch_state import flattened, restored
from crucible_engine.wire.arrays import written_whole
from crucible_engine.wire.training import SIDES

Weights = dict[str, torch.Tensor]

TRAINING, VALIDATION, _ = SIDES


class _EnoughError(Exception):
    """The patience is at its end; raised through the package's loop."""


class Sums:
    """What an epoch adds up: the loss weighted by structures, and absolute errors by how many they are of."""

    def __init__(self) -> None:
        self.values = dict.fromkeys(("loss", *ERRORS), 0.0)
        self.counts = dict.fromkeys(("loss", *ERRORS), 0)

    def add(self, name: str, mean: float, count: int) -> None:
        """Add the mean of so many."""
        if count:
            self.values[name] += mean * count
            self.counts[name] += count

    def row(self, side: str) -> dict[str, float]:
        """Return the means as part of a row of the curves."""
        means = {name: self.values[name] / count if count else math.nan for name, count in self.counts.items()}
        return {f"{side}_{name if name == 'loss' else f'{name}_error'}": mean for name, mean in means.items()}


class TorchTrainer(Trainer):
    """A training with torch.

    :param network: with the weights to begin with, on its device.
    """

    def __init__(self, network: torch.nn.Module, data: TrainingData, settings: TrainingSettings) -> None:
        self.network, self.data, self.settings = network, data, settings
        self.epoch = self.step = self._batch = self._since_best = 0
        self.steps_per_epoch = math.ceil(len(data.training) / settings.batch_size)
        self.history: list[dict[str, float]] = []
        self.best_epoch: int | None = None
        self._best: Weights = {}
        self._average: Weights = self._weights() if settings.ema is not None else {}
        self._sums = {side: Sums() for side in (TRAINING, VALIDATION)}
        self._seconds = 0.0
        self._loss = math.nan
        self._control: Control | None = None
        torch.use_deterministic_algorithms(True, warn_only=True)

    @property
    def n_weights(self) -> int:  # type: ignore[override]
        """How many numbers are trained."""
        return sum(weight.numel() for weight in self.network.parameters() if weight.requires_grad)

    def run(self, control: Control) -> bool:
        """Train to the end; see :class:`crucible_engine.training.contract.Trainer`."""
        if self._is_enough():
            return True
        self._control = control
        self._began = time.monotonic()
        try:
            if self.epoch < self.settings.epochs:
                self.train_epochs()
        except _EnoughError:
            return True
        return False

    @abc.abstractmethod
    def train_epochs(self) -> None:
        """Let the package's trainer do the epochs that are left."""

    @abc.abstractmethod
    def parts(self) -> dict[str, Any]:
        """Return what else has a state, as torch's optimizers have one: objects with ``state_dict`` by name."""

    @abc.abstractmethod
    def content(self, weights: Weights) -> Any:
        """Return what the package saves of weights: tensors and plain containers."""

    def seeded(self) -> None:
        """Begin torch's and Python's random numbers anew, before weights are drawn."""
        torch.manual_seed(self.settings.seed)
        random.seed(self.settings.seed)

    def batches(self) -> Iterator[list[int]]:
        """Yield the structures of each batch of this epoch that is left, and do between them what is due.

        Their order follows from the seed and the number of the epoch. When the next batch is asked for, the step with
        the one before is done.
        """
        order = np.random.default_rng([self.settings.seed, self.epoch]).permutation(self.data.training)
        size = self.settings.batch_size
        while self._batch < self.steps_per_epoch:
            yield order[self._batch * size : (self._batch + 1) * size].tolist()
            self._batch += 1
            self.step += 1
            self.after_batch(self._batch)
            self._follow()
            if self._batch < self.steps_per_epoch:
                assert self._control is not None
                self._control.after_step(self, self._loss)

    def after_batch(self, number: int) -> None:
        """Do what the package's loop would do by the number of the batch in the epoch, from 1."""

    def validation_batches(self) -> Iterator[list[int]]:
        """Yield the structures of each batch of validation; the weights meanwhile are those that would be kept."""
        size, chosen = self.settings.batch_size, self.data.validation.tolist()
        with self._averaged():
            for start in range(0, len(chosen), size):
                yield chosen[start : start + size]

    def note(self, loss: float, errors: dict[str, tuple[float, int]], count: int) -> None:
        """Take account of a batch.

        :param errors: mean absolute ones by :data:`crucible_engine.training.contract.ERRORS`, each with how many
            numbers it is of.
        :param count: structures.
        :raises DivergedError: if the loss of a batch that is trained on is no finite number.
        """
        side = TRAINING if self.network.training else VALIDATION
        if side == TRAINING:
            self._loss = loss
            if not math.isfinite(loss):
                raise DivergedError(self.epoch + 1, self.step + 1)
        self._sums[side].add("loss", loss, count)
        for name, (mean, size) in errors.items():
            self._sums[side].add(name, mean, size)

    def end_epoch(self, learning_rate: float) -> None:
        """Close an epoch that was validated: its row, the best weights, and whether it is enough.

        :raises DivergedError: if the loss of the validation is no finite number.
        """
        rows = {name: value for side, sums in self._sums.items() for name, value in sums.row(side).items()}
        if not math.isfinite(rows["validation_loss"]):
            raise DivergedError(self.epoch + 1, self.step)
        now = time.monotonic()
        seconds = self._seconds + now - self._began
        self.epoch += 1
        self.history.append({"epoch": self.epoch, "learning_rate": learning_rate, "seconds": seconds, **rows})
        best = None if self.best_epoch is None else self.history[self.best_epoch - 1]["validation_loss"]
        self._since_best += 1
        if best is None or rows["validation_loss"] < best:
            self.best_epoch, self._since_best = self.epoch, 0
            with self._averaged():
                self._best = self._weights()
        self._batch, self._seconds, self._began = 0, 0.0, now
        self._sums = {side: Sums() for side in self._sums}
        assert self._control is not None
        self._control.after_epoch(self)
        if self._is_enough():
            raise _EnoughError

    def _is_enough(self) -> bool:
        return self.settings.patience is not None and self._since_best >= self.settings.patience

    def _weights(self) -> Weights:
        return {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}

    def _follow(self) -> None:
        """Let the moving average follow the weights."""
        decay = self.settings.ema
        if decay is None:
            return
        # As others do, so that the first weights do not weigh on a short training.
        decay = min(decay, (1 + self.step) / (10 + self.step))
        for name, tensor in self.network.state_dict().items():
            average = self._average[name]
            if average.is_floating_point():
                average.mul_(decay).add_(tensor.detach(), alpha=1 - decay)
            else:
                average.copy_(tensor)

    @contextlib.contextmanager
    def _averaged(self) -> Iterator[None]:
        """Put the moving average in the place of the weights for a while, where there is one."""
        if self.settings.ema is None:
            yield
            return
        own = self._weights()
        self.network.load_state_dict(self._average)
        try:
            yield
        finally:
            self.network.load_state_dict(own)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the whole state; see :class:`crucible_engine.training.contract.Trainer`."""
        version, numbers, gauss = random.getstate()
        tree = {
            "epoch": self.epoch,
            "step": self.step,
            "batch": self._batch,
            "since_best": self._since_best,
            "best_epoch": self.best_epoch,
            "history": self.history,
            "sums": {side: [sums.values, sums.counts] for side, sums in self._sums.items()},
            "seconds": self._seconds + time.monotonic() - self._began if self._batch else 0.0,
            "random": [version, list(numbers), gauss],
            "torch_random": torch.get_rng_state(),
            "network": dict(self.network.state_dict()),
            "best": self._best,
            "average": self._average,
            "parts": {name: part.state_dict() for name, part in self.parts().items()},
        }
        return flattened(tree)

    def restore(self, scalars: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        """Go on from a state; see :class:`crucible_engine.training.contract.Trainer`."""
        tree = restored(scalars, arrays)
        try:
            self.network.load_state_dict(tree["network"])
            for name, part in self.parts().items():
                part.load_state_dict(tree["parts"][name])
            device = next(self.network.parameters()).device
            self._best = {name: tensor.to(device) for name, tensor in tree["best"].items()}
            self._average = {name: tensor.to(device) for name, tensor in tree["average"].items()}
            self.epoch, self.step, self._batch = tree["epoch"], tree["step"], tree["batch"]
            self._since_best, self.best_epoch = tree["since_best"], tree["best_epoch"]
            self.history, self._seconds = tree["history"], tree["seconds"]
            for side, (values, counts) in tree["sums"].items():
                self._sums[side].values, self._sums[side].counts = values, counts
            version, numbers, gauss = tree["random"]
            random.setstate((version, tuple(numbers), gauss))
            torch.set_rng_state(tree["torch_random"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"it does not fit this training ({str(error).splitlines()[0]})") from error

    def digest(self) -> str | None:
        """Return what the best weights are; see :class:`crucible_engine.training.contract.Trainer`."""
        if not self._best:
            return None
        state = hashlib.sha256()
        for name in sorted(self._best):
            array = self._best[name].cpu().numpy()
            state.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            state.update(np.ascontiguousarray(array).tobytes())
        return state.hexdigest()

    def write_weights(self, path: Path) -> None:
        """Write the best weights; see :class:`crucible_engine.training.contract.Trainer`."""
        weights = {name: tensor.cpu().clone().contiguous() for name, tensor in self._best.items()}
        with written_whole(path) as stream:
            torch.save(self.content(weights), stream)

"""CHGNet's training: its own trainer, which loops over our batches and calls us after each epoch.

CHGNet learns energies an atom (eV), forces (eV/Å) and stresses (GPa, ASE's sign); magnetic moments, which it learns
too, are left as the parent gives them. The energies of the elements are no part of what is trained: labels come with
the parent's zero.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from ase import units
from ase.stress import voigt_6_to_full_3x3_stress
from chgnet.model import CHGNet
from chgnet.trainer import Trainer as PackageTrainer
from chgnet.trainer.trainer import CombinedLoss

from crucible_engine.families.chgnet import compat
from crucible_engine.families.chgnet.adapter import ChgnetModel
from crucible_engine.families.torch_support import DTYPES
from crucible_engine.training.contract import TrainingData, TrainingSettings
from crucible_engine.training.torch_trainer import TorchTrainer, Weights

CRITERIA = {"mse": "MSE", "huber": "Huber", "mae": "MAE"}
UNITS = {"e": ("energy", 1.0), "f": ("force", 1.0), "s": ("stress", units.GPa)}
"""CHGNet's targets: what they are here, and one of their units in ours."""

NEVER = 10**9
"""Batches between two lines that the package would print."""


def trainer(model: ChgnetModel, data: TrainingData, settings: TrainingSettings) -> ChgnetTrainer:
    """Return the training of a model, see :mod:`crucible_engine.training.contract`."""
    return ChgnetTrainer(model, data, settings)


class ChgnetTrainer(TorchTrainer):
    """A training of CHGNet."""

    def __init__(self, model: ChgnetModel, data: TrainingData, settings: TrainingSettings) -> None:
        network = model.network
        network.is_intensive = True
        self.settings, self.dtype = settings, model.dtype
        self.seeded()
        if settings.method == "scratch":
            network = _anew(network, data).to(device=model.device, dtype=DTYPES[model.dtype])
        network.requires_grad_(True)
        super().__init__(network, data, settings)
        if settings.method == "frozen":
            for layer in compat.early_layers(network):
                layer.requires_grad_(False)
        compat.element_energies(network).requires_grad_(False)
        self.targets = "efs" if data.has_stress else "ef"
        self._examples = [self._example(index) for index in range(len(data.structures))]
        self._package = self._package_trainer()

    def _package_trainer(self) -> _EpochsTrainer:
        settings = self.settings
        with contextlib.redirect_stdout(io.StringIO()):
            package = _EpochsTrainer(
                model=self.network,
                targets=self.targets,
                energy_loss_ratio=settings.energy_weight,
                force_loss_ratio=settings.force_weight,
                stress_loss_ratio=settings.stress_weight,
                criterion=CRITERIA[settings.loss],
                epochs=settings.epochs,
                learning_rate=settings.learning_rate,
                print_freq=NEVER,
                use_device=str(next(self.network.parameters()).device),
                **settings.extra,
            )
        package.owner = self
        self._scheduler, package.scheduler = package.scheduler, _Nothing()
        package.criterion = _Noting(package.criterion, self)
        return package

    def _example(self, index: int) -> tuple[Any, dict[str, Any]]:
        data, atoms = self.data, self.data.structures[index]
        with compat.precision(self.dtype):
            graph = compat.graph_of(self.network, atoms)
        dtype = DTYPES[self.dtype]
        targets = {
            "e": torch.tensor(data.energies[index] / len(atoms), dtype=dtype),
            "f": torch.tensor(data.forces[index], dtype=dtype),
        }
        if self.targets == "efs":
            matrix = voigt_6_to_full_3x3_stress(data.stresses[index]) / units.GPa
            targets["s"] = torch.tensor(np.asarray(matrix), dtype=dtype)
        return graph, targets

    def collated(self, indices: list[int]) -> tuple[list[Any], dict[str, Any]]:
        """Return a batch as the package's loaders do."""
        examples = [self._examples[index] for index in indices]
        targets: dict[str, Any] = {"e": torch.stack([each["e"] for _, each in examples])}
        for name in self.targets[1:]:
            targets[name] = [each[name] for _, each in examples]
        return [graph for graph, _ in examples], targets

    def train_epochs(self) -> None:
        """Let CHGNet's trainer do the epochs that are left."""
        self._package.starting_epoch = self.epoch
        # A folder is named and nothing is written there: what the package would save after an epoch is ours to save.
        with compat.precision(self.dtype), contextlib.redirect_stdout(io.StringIO()):
            self._package.train(_Batches(self), _ValidationBatches(self), save_dir="unused")

    def after_batch(self, number: int) -> None:
        """Adjust the learning rate ten times an epoch, as the package does, wherever the epoch was begun."""
        if number in np.arange(1, 11) * self.steps_per_epoch // 10:
            self._scheduler.step()

    def parts(self) -> dict[str, Any]:
        """Return what has a state beside the network."""
        return {"optimizer": self._package.optimizer, "scheduler": self._scheduler}

    def content(self, weights: Weights) -> Any:
        """Return what the package saves, and the adapter reads."""
        return {"model": {"state_dict": weights, "model_args": self.network.model_args}}


class _EpochsTrainer(PackageTrainer):
    """CHGNet's trainer, which saves through its owner."""

    owner: ChgnetTrainer

    def save_checkpoint(self, epoch: int, mae_error: dict[str, float], save_dir: str) -> None:
        """Close an epoch."""
        del epoch, mae_error, save_dir
        self.owner.end_epoch(float(self.optimizer.param_groups[0]["lr"]))


class _Nothing:
    """Stands where the trainer's schedule was, which is kept by the number of the batch instead."""

    def step(self) -> None:
        """Do nothing."""


class _Noting(torch.nn.Module):
    """CHGNet's loss, told to the owner of the trainer; what no structure of a batch has a label of adds nothing."""

    def __init__(self, loss: CombinedLoss, owner: ChgnetTrainer) -> None:
        super().__init__()
        self._loss, self._owner = loss, [owner]  # in a list, where torch does not look for weights

    def forward(self, targets: dict[str, Any], prediction: dict[str, Any]) -> dict[str, Any]:
        """Return what the package's loss does."""
        unlabelled = "s" in targets and all(bool(torch.isnan(stress).all()) for stress in targets["s"])
        self._loss.target_str = self._owner[0].targets.replace("s", "") if unlabelled else self._owner[0].targets
        out: dict[str, Any] = self._loss(targets, prediction)
        if unlabelled:
            out |= {"s_MAE": torch.zeros([]), "s_MAE_size": 0}
        errors = {}
        for key in self._owner[0].targets:
            name, factor = UNITS[key]
            errors[name] = (factor * float(out[f"{key}_MAE"]), int(out[f"{key}_MAE_size"]))
        self._owner[0].note(float(out["loss"]), errors, len(targets["e"]))
        return out


class _Batches:
    """The batches of training, as the package's loop takes them from a loader."""

    def __init__(self, owner: ChgnetTrainer) -> None:
        self._owner = owner

    def __len__(self) -> int:
        return self._owner.steps_per_epoch

    def __iter__(self) -> Iterator[tuple[list[Any], dict[str, Any]]]:
        return map(self._owner.collated, self._owner.batches())


class _ValidationBatches(_Batches):
    """Those of validation."""

    def __iter__(self) -> Iterator[tuple[list[Any], dict[str, Any]]]:
        return map(self._owner.collated, self._owner.validation_batches())


def _anew(parent: CHGNet, data: TrainingData) -> CHGNet:
    """Return a network like the parent with random weights, which knows the elements of the data alone."""
    with contextlib.redirect_stdout(io.StringIO()):
        network = CHGNet(**parent.model_args)
    network.load_state_dict({**network.state_dict(), **compat.element_state(parent)})
    known = np.unique(np.concatenate([atoms.numbers for atoms in data.structures]))
    unknown = np.setdiff1d(np.arange(1, 95), known)
    with torch.no_grad():
        compat.element_energies(network).fc.weight[:, unknown - 1] = 0.0
    network.graph_converter.set_isolated_atom_response("ignore")
    return network

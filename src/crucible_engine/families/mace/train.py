"""MACE's training: an epoch at a time by the functions of its own trainer, over our batches.

MACE learns energies (eV an atom), forces (eV/Å) and stresses (eV/Å³). The energies of the elements and the scale of the
network are no weights to it: labels come with the parent's zero. What it saves is a whole network, which only
unpickling reads.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from ase import units
from ase.stress import voigt_6_to_full_3x3_stress
from mace.tools.train import evaluate, train_one_epoch

from crucible_engine.families.mace import compat
from crucible_engine.families.mace.adapter import MaceModel
from crucible_engine.families.torch_support import DTYPES, default_dtype
from crucible_engine.training.contract import TrainingData, TrainingSettings
from crucible_engine.training.torch_trainer import TorchTrainer, Weights

# Before anything is computed: what is compiled once keeps what it was compiled for.
compat.run_the_same_code_each_call()

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
USUAL = {"optimizer": "adam", "amsgrad": True, "weight_decay": 0.0, "lr_scheduler_gamma": 0.98, "max_grad_norm": 10.0}
"""What else the trainer takes, by MACE's names, where nobody says."""


def trainer(model: MaceModel, data: TrainingData, settings: TrainingSettings) -> MaceTrainer:
    """Return the training of a model, see :mod:`crucible_engine.training.contract`."""
    return MaceTrainer(model, data, settings)


class MaceTrainer(TorchTrainer):
    """A training of MACE."""

    def __init__(self, model: MaceModel, data: TrainingData, settings: TrainingSettings) -> None:
        self.settings, self._dtype, self._device = settings, model.dtype, torch.device(model.device)
        self.seeded()
        network = model.network
        if settings.method == "scratch":
            with default_dtype(model.dtype):
                network = compat.anew(network).to(device=model.device, dtype=DTYPES[model.dtype])
        super().__init__(network, data, settings)
        last = compat.last_weights(network)
        for name, weight in network.named_parameters():
            weight.requires_grad_(settings.method != "frozen" or name in last)
        with default_dtype(model.dtype):
            self._graphs = [self._labelled(model, index) for index in range(len(data.structures))]
            self._loss_of = compat.loss(
                settings.energy_weight, settings.force_weight, settings.stress_weight / units.GPa**2, data.has_stress
            )
        extra = {**USUAL, **settings.extra}
        self._largest_gradient: float = extra["max_grad_norm"]
        self._optimizer = OPTIMIZERS[extra["optimizer"]](
            [weight for weight in network.parameters() if weight.requires_grad],
            lr=settings.learning_rate,
            amsgrad=extra["amsgrad"],
            weight_decay=extra["weight_decay"],
        )
        self._scheduler = torch.optim.lr_scheduler.ExponentialLR(self._optimizer, extra["lr_scheduler_gamma"])

    def _labelled(self, model: MaceModel, index: int) -> Any:
        data = self.data
        stress = data.stresses[index]
        labels = {"energy": data.energies[index], "forces": data.forces[index]}
        if np.isfinite(stress).all():
            labels["stress"] = np.asarray(voigt_6_to_full_3x3_stress(stress))
        return model.graph(data.structures[index], labels)

    def train_epochs(self) -> None:
        """Let MACE's functions do the epochs that are left."""
        wanted = {"forces": True, "virials": False, "stress": self.data.has_stress}
        loss = _Noting(self)
        with default_dtype(self._dtype):
            while self.epoch < self.settings.epochs:
                self.network.train()
                train_one_epoch(
                    self.network,
                    loss,
                    self._loaded(self.batches()),
                    self._optimizer,
                    self.epoch,
                    wanted,
                    self._largest_gradient,
                    None,
                    _Silent(),
                    self._device,
                    False,
                )
                self.network.eval()
                evaluate(self.network, loss, self._loaded(self.validation_batches()), wanted, self._device)
                rate = float(self._optimizer.param_groups[0]["lr"])
                self._scheduler.step()
                self.end_epoch(rate)

    def _loaded(self, batches: Iterator[list[int]]) -> Iterator[Any]:
        for indices in batches:
            yield compat.batch([self._graphs[index] for index in indices])

    def loss(self, labels: Any, predicted: Any) -> torch.Tensor:
        """Return MACE's loss of a batch, and take account of it."""
        loss: torch.Tensor = self._loss_of(ref=labels, pred=predicted)
        sizes = labels.ptr[1:] - labels.ptr[:-1]
        differences = {
            "energy": (predicted["energy"] - labels["energy"]) / sizes,
            "force": predicted["forces"] - labels["forces"],
        }
        if self.data.has_stress:
            differences["stress"] = (predicted["stress"] - labels["stress"])[labels.stress_weight > 0]
        errors = {
            name: (float(each.detach().abs().mean()) if each.numel() else 0.0, each.numel())
            for name, each in differences.items()
        }
        self.note(float(loss.detach()), errors, len(sizes))
        return loss

    def parts(self) -> dict[str, Any]:
        """Return what has a state beside the network."""
        return {"optimizer": self._optimizer, "scheduler": self._scheduler}

    def content(self, weights: Weights) -> Any:
        """Return what the package saves, and the adapter reads: the network."""
        network = copy.deepcopy(self.network).cpu()
        network.load_state_dict(weights)
        return network.eval().requires_grad_(False)


class _Noting(torch.nn.Module):
    """The loss as MACE's functions call it."""

    def __init__(self, owner: MaceTrainer) -> None:
        super().__init__()
        self._owner = [owner]  # in a list, where torch does not look for weights

    def forward(self, ref: Any, pred: Any) -> torch.Tensor:
        """Return the loss."""
        return self._owner[0].loss(ref, pred)


class _Silent:
    """Stands where the trainer writes its own lines."""

    def log(self, metrics: dict[str, Any]) -> None:
        """Write nothing."""

"""SevenNet's training: an epoch at a time by its own trainer, over our batches.

SevenNet learns energies an atom (eV), forces (eV/Å) and stresses, here in GPa. The energies of the elements and the
scales of the network are no part of what is trained, as with SevenNet itself: labels come with the parent's zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from ase import units
from sevenn.error_recorder import ErrorRecorder
from sevenn.train.loss import ForceLoss, LossDefinition, PerAtomEnergyLoss, StressLoss
from sevenn.train.optim import optim_dict, scheduler_dict
from sevenn.train.trainer import Trainer as PackageTrainer
from torch_geometric.data import Batch

from crucible_engine.families.sevennet import compat
from crucible_engine.families.sevennet.adapter import TO_SEVENNET, SevennetModel
from crucible_engine.families.torch_support import DTYPES
from crucible_engine.training.contract import TrainingData, TrainingSettings
from crucible_engine.training.torch_trainer import TorchTrainer, Weights

GIGAPASCAL = 1 / units.GPa
NAMES = ("energy", "force", "stress")


def trainer(model: SevennetModel, data: TrainingData, settings: TrainingSettings) -> SevennetTrainer:
    """Return the training of a model, see :mod:`crucible_engine.training.contract`."""
    return SevennetTrainer(model, data, settings)


class SevennetTrainer(TorchTrainer):
    """A training of SevenNet."""

    def __init__(self, model: SevennetModel, data: TrainingData, settings: TrainingSettings) -> None:
        self.settings, self._config = settings, model.config
        self.seeded()
        network = model.network
        if settings.method == "scratch":
            network = compat.anew(model.config, network).to(device=model.device, dtype=DTYPES[model.dtype])
            compat.keep_precision(network, DTYPES[model.dtype])
        super().__init__(network, data, settings)
        trained = compat.last_weights(network) if settings.method == "frozen" else compat.all_weights(network)
        for name, weight in network.named_parameters():
            weight.requires_grad_(name in trained)
        self._graphs = [self._labelled(model, index) for index in range(len(data.structures))]
        self._losses = _losses(settings, data.has_stress)
        extra = dict(settings.extra)
        self._package = PackageTrainer(
            network,
            self._losses,
            optim_dict[extra.pop("optimizer", "adam")],
            {"lr": settings.learning_rate, **extra.pop("optim_param", {})},
            scheduler_dict[extra.pop("scheduler", "exponentiallr")],
            extra.pop("scheduler_param", {"gamma": 0.98}),
            device=model.device,
        )

    def _labelled(self, model: SevennetModel, index: int) -> Any:
        data, dtype = self.data, DTYPES[model.dtype]
        graph = model.graph(data.structures[index])
        graph[compat.ENERGY_LABEL] = torch.tensor(data.energies[index], dtype=dtype)
        graph[compat.FORCES_LABEL] = torch.tensor(data.forces[index], dtype=dtype)
        graph[compat.STRESS_LABEL] = torch.tensor(-data.stresses[index][TO_SEVENNET], dtype=dtype).reshape(1, 6)
        return graph

    def train_epochs(self) -> None:
        """Let SevenNet's trainer do the epochs that are left."""
        watch: ErrorRecorder = _Watch(self)  # it is asked for nothing but `update`
        while self.epoch < self.settings.epochs:
            self._package.run_one_epoch(self._loaded(self.batches()), is_train=True, error_recorder=watch)
            self._package.run_one_epoch(self._loaded(self.validation_batches()), error_recorder=watch)
            # The schedule is part of what is kept, and goes on before that.
            rate = self._package.get_lr()
            self._package.scheduler_step(1.0)
            self.end_epoch(rate)

    def _loaded(self, batches: Iterator[list[int]]) -> Iterator[Any]:
        for indices in batches:
            yield Batch.from_data_list([self._graphs[index] for index in indices])

    def watch(self, output: Any) -> None:
        """Take account of a batch by what the network answers and the labels are."""
        total, errors = 0.0, {}
        for (loss, weight), name in zip(self._losses, NAMES, strict=False):
            predicted, labels, _ = loss._ignore_unlabeled(*loss._preprocess(output))
            total += weight * float(loss.get_loss(output).detach().sum())
            mean = float((predicted - labels).abs().mean().detach()) if len(labels) else 0.0
            errors[name] = (mean / (GIGAPASCAL if name == "stress" else 1.0), len(labels))
        self.note(total, errors, int(output[compat.ENERGY_LABEL].numel()))

    def parts(self) -> dict[str, Any]:
        """Return what has a state beside the network."""
        return {"optimizer": self._package.optimizer, "scheduler": self._package.scheduler}

    def content(self, weights: Weights) -> Any:
        """Return what the package saves, and the adapter reads."""
        return {"model_state_dict": weights, "config": compat.current(self._config), "epoch": self.best_epoch}


class _Watch(ErrorRecorder):
    """Stands where the trainer tells answers and labels of each batch."""

    def __init__(self, owner: SevennetTrainer) -> None:
        self._owner = owner

    def update(self, output: Any) -> None:
        """Tell the owner."""
        self._owner.watch(output)


def _losses(settings: TrainingSettings, has_stress: bool) -> list[tuple[LossDefinition, float]]:
    """Return the package's losses with their weights: energy, force and, where there are labels, stress in GPa."""
    delta = float(settings.extra.get("delta", 0.01))
    criterion = torch.nn.MSELoss() if settings.loss == "mse" else torch.nn.HuberLoss(delta=delta)
    settings.extra.pop("delta", None)
    losses = [
        (PerAtomEnergyLoss(criterion=criterion), settings.energy_weight),
        (ForceLoss(criterion=criterion), settings.force_weight),
    ]
    if has_stress:
        stress = StressLoss(criterion=criterion)
        stress.TO_KB = GIGAPASCAL  # the factor from eV/Å³
        losses.append((stress, settings.stress_weight))
    return losses

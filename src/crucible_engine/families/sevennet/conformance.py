"""The models of SevenNet that the conformance suite tries, see :mod:`crucible_engine.families.conformance`."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

from ase.calculators.calculator import Calculator

from crucible_engine.families.conformance import Case, in_double

CASES = (
    Case("7net-l3i5", "sevennet", "7net-l3i5"),
    Case("7net-0", "sevennet", "7net-0", like="7net-l3i5"),
    Case("7net-0_22May2024", "sevennet", "7net-0_22May2024", like="7net-l3i5"),
    Case("7net-mf-0-PBE", "sevennet", "7net-mf-0", {"modal": "PBE"}),
    Case("7net-mf-0-R2SCAN", "sevennet", "7net-mf-0", {"modal": "R2SCAN"}, like="7net-mf-0-PBE"),
)

# Of the package, what has an underscore or no documentation; and the same of a network.
MEMBERS = (
    "sevenn._keys:PRED_TOTAL_ENERGY",
    "sevenn._keys:PRED_FORCE",
    "sevenn._keys:PRED_STRESS",
    "sevenn._keys:TYPE_MAP",
    "sevenn._keys:DATA_MODALITY",
    "sevenn.util:pretrained_name_to_path",
    "sevenn.util:dtype_correct",
    "sevenn.train.dataload:unlabeled_atoms_to_graph",
    "sevenn.checkpoint:SevenNetCheckpoint.build_model",
    "sevenn.nn.node_embedding:OnehotEmbedding",
    "sevenn.train.trainer:Trainer.run_one_epoch",
    "sevenn.train.trainer:Trainer.scheduler_step",
    "sevenn.train.optim:optim_dict",
    "sevenn.train.optim:scheduler_dict",
    "sevenn.train.loss:LossDefinition._preprocess",
    "sevenn.train.loss:LossDefinition._ignore_unlabeled",
    "sevenn.error_recorder:ErrorRecorder.update",
    "sevenn.model_build:build_E3_equivariant_model",
)
NETWORK_MEMBERS = (
    "cutoff",
    "modal_map",
    "set_is_batch_data",
    "rescale_atomic_energy",
)


def package_calculator(case: Case, checkpoint: Path, dtype: str) -> Calculator:
    """Return the package's own calculator, in double precision by other means than the adapter's."""
    import torch
    from sevenn.calculator import SevenNetCalculator
    from sevenn.util import dtype_correct

    calculator = SevenNetCalculator(case.weights, device="cpu", **case.settings)
    if dtype == "float32":
        return calculator
    return in_double(calculator, mock.patch.object(dtype_correct, "__defaults__", (torch.float64, torch.int64)))

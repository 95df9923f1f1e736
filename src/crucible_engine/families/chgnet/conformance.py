"""The models of CHGNet that the conformance suite tries, see :mod:`crucible_engine.families.conformance`."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

from ase.calculators.calculator import Calculator

from crucible_engine.families.conformance import Case, in_double

CASES = (
    Case("chgnet-0.3.0", "chgnet", "0.3.0"),
    Case("chgnet-0.2.0", "chgnet", "0.2.0", like="chgnet-0.3.0"),
    Case("chgnet-r2scan", "chgnet", "r2scan", like="chgnet-0.3.0"),
)

# Of the package, what has an underscore or no documentation; and the same of a network.
MEMBERS = (
    "chgnet.model.model:CHGNet._compute",
    "chgnet.model.model:BatchedGraph.from_graphs",
    "chgnet.model.model:TORCH_DTYPE",
    "chgnet.graph.converter:TORCH_DTYPE",
    "chgnet.trainer:Trainer.train",
    "chgnet.trainer:Trainer.save_checkpoint",
    "chgnet.trainer.trainer:CombinedLoss.forward",
)
NETWORK_MEMBERS = (
    "bond_basis_expansion",
    "angle_basis_expansion",
    "composition_model.fc.weight",
    "graph_converter.set_isolated_atom_response",
    "is_intensive",
    "atom_embedding",
    "bond_embedding",
    "angle_embedding",
    "atom_conv_layers",
    "bond_conv_layers",
    "angle_layers",
    "model_args",
)


def package_calculator(case: Case, checkpoint: Path, dtype: str) -> Calculator:
    """Return the package's own calculator, in double precision by other means than the adapter's."""
    import torch
    from chgnet.model import CHGNet
    from chgnet.model.dynamics import CHGNetCalculator

    calculator = CHGNetCalculator(CHGNet.load(model_name=case.weights, use_device="cpu"), use_device="cpu")
    if dtype == "float32":
        return calculator
    modules = ("chgnet.graph.converter", "chgnet.model.model")
    return in_double(calculator, *(mock.patch(f"{module}.TORCH_DTYPE", torch.float64) for module in modules))

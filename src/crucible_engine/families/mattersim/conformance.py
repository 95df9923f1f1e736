"""The models of MatterSim that the conformance suite tries, see :mod:`crucible_engine.families.conformance`."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

from ase.calculators.calculator import Calculator

from crucible_engine.families.conformance import Case, in_double

# Weights as the installed release saves them, and as those of 2024 were saved: without some constants of the code.
CASES = (
    Case("mattersim-random", "mattersim"),
    Case("mattersim-random-2024", "mattersim", like="mattersim-random"),
)

# Of the package, what has an underscore or no documentation; and the same of a network.
MEMBERS = (
    "mattersim.datasets.utils.convertor:compute_threebody_indices",
    "mattersim.datasets.utils.convertor:get_fixed_radius_bonding",
    "mattersim.forcefield.m3gnet.m3gnet:M3Gnet.one_hot_atoms",
    "mattersim.forcefield.m3gnet.m3gnet:M3Gnet.get_model_args",
    "mattersim.forcefield.potential:batch_to_dict",
    "mattersim.utils.download_utils:download_checkpoint",
)
NETWORK_MEMBERS = (
    "max_z",
    "normalizer.shift",
    "sbf.coef",
)


def make_checkpoint(case: Case, target: Path) -> None:
    """Save a small network with random weights as the package does."""
    import torch
    from mattersim.forcefield.m3gnet.m3gnet import M3Gnet
    from mattersim.forcefield.potential import Potential

    from crucible_engine.families.mattersim.compat import CONSTANTS

    torch.manual_seed(1)
    network = M3Gnet(num_blocks=2, units=32, device="cpu")
    network.normalizer.shift.copy_(torch.linspace(-3, -9, 95))
    network.normalizer.scale.fill_(0.7)
    Potential(network, device="cpu").save(str(target))
    if case.name.endswith("2024"):
        content = torch.load(target, weights_only=True)
        content["model"] = {name: value for name, value in content["model"].items() if name not in CONSTANTS}
        torch.save(content, target)


def package_calculator(case: Case, checkpoint: Path, dtype: str) -> Calculator:
    """Return the package's own calculator, in double precision by other means than the adapter's."""
    import torch
    from loguru import logger
    from mattersim.forcefield import MatterSimCalculator

    logger.disable("mattersim")  # it logs to the standard output
    calculator = MatterSimCalculator.from_checkpoint(str(checkpoint), device="cpu", load_training_state=False)
    if dtype == "float32":
        return calculator
    calculator.model = calculator.potential
    return in_double(calculator, mock.patch.object(torch, "FloatTensor", torch.DoubleTensor))

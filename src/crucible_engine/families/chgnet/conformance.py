"""The models of CHGNet that the conformance suite tries, see :mod:`crucible_engine.families.conformance`."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

from ase.calculators.calculator import Calculator

from crucible_engine.families.conformance import Case, in_double

CASES = (
    Case("chgnet-0.3.0", "chgnet", "0.3.0"),
    Case("chgnet-0.2.0", "chgnet", "0.2.0"),
    Case("chgnet-r2scan", "chgnet", "r2scan"),
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

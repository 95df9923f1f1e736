"""The models of GPTFF that the conformance suite tries, see :mod:`crucible_engine.families.conformance`."""

from __future__ import annotations

import shutil
from pathlib import Path
from unittest import mock

from ase.calculators.calculator import Calculator

from crucible_engine.families.conformance import Case, in_double, published_weights

# The energy jumps where a bond or an angle reaches its cutoff.
_STEP = 2e-5
CASES = (
    Case("gptff-random", "gptff", step=_STEP, extensive=False),
    Case("gptff-random-v1", "gptff", step=_STEP, extensive=False),
    Case("gptff_v2", "gptff", published="gptff_v2.pth", step=_STEP, extensive=False),
)

# Of the package, what has an underscore or no documentation; and the same of a network.
MEMBERS = (
    "gptff.model.model:tModLodaer",
    "gptff.model.model:tModLodaer_t",
    "gptff.model.mpredict:CFG",
    "gptff.model.mpredict:_pair_and_triple_features",
    "gptff.model.mpredict:atom_refs",
    "gptff.model.mpredict:custom_graph",
    "gptff.utils_.compute_nb:find_neighbors",
    "gptff.utils_.data:collate_fn",
)
NETWORK_MEMBERS = ("atom_embedding.weight", "atom_embedding.max_norm")


def make_checkpoint(case: Case, target: Path) -> None:
    """Lay published weights there, or save a small network with random weights as the package's trainer does."""
    if case.published:
        shutil.copy(published_weights(case.published), target)
        return
    import torch

    from crucible_engine.families.base import numbers_of
    from crucible_engine.families.gptff import FAMILY, compat

    torch.manual_seed(1)
    settings = {
        "transformer_activate": not case.name.endswith("v1"),
        "n_layers": 2,
        "node_feature_len": 16,
        "edge_feature_len": 16,
    }
    network = compat.network_of(settings, "cpu")
    # As a training does to the rows of the elements that it sees.
    with torch.no_grad():
        network.atom_embedding(torch.tensor(sorted(numbers_of(FAMILY.names["gptff_v2"].elements))))
    torch.save({"state_dict": network.state_dict(), "cfg": settings}, target)


def package_calculator(case: Case, checkpoint: Path, dtype: str) -> Calculator:
    """Return the package's own calculator, its stress in eV/Å³, in double precision by other means than the adapter."""
    import torch
    from ase.units import GPa
    from gptff.model.mpredict import ASECalculator

    calculator = ASECalculator(str(checkpoint), "cpu")
    if dtype == "float64":
        calculator = in_double(calculator, mock.patch.object(torch, "float32", torch.float64))
    calculate = calculator.calculate

    def calculate_in_units(*arguments: object, **keywords: object) -> None:
        calculate(*arguments, **keywords)
        if "stress" in calculator.results:
            calculator.results["stress"] = calculator.results["stress"] * GPa

    calculator.calculate = calculate_in_units
    return calculator

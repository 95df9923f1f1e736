"""The models of matgl that the conformance suite tries, see :mod:`crucible_engine.families.conformance`."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import Any

from ase.calculators.calculator import Calculator

from crucible_engine.families.conformance import Case, published_weights
from crucible_engine.families.matgl import PARTS
from crucible_engine.families.packed import pack

_M3GNET, _TENSORNET = "M3GNet-MP-2021.2.8-PES", "TensorNet-MatPES-PBE-v2025.1-PES"
_MATPES = "M3GNet-MatPES-PBE-v2025.1-PES"
# eV/atom by which an energy depends on the order of the bonds, see MatglModel.
_ORDER = 1e-4
_M3GNET_FAULTS: dict[str, Any] = {"supercell_tolerance": _ORDER, "faults": ("energy-not-extensive",)}
CASES = (
    Case(_M3GNET, "matgl", published=_M3GNET, step=4e-6, like="m3gnet-random", **_M3GNET_FAULTS),
    Case("m3gnet-random", "matgl", step=4e-6, **_M3GNET_FAULTS),
    Case("tensornet-random", "matgl"),
    Case(_MATPES, "matgl", published=_MATPES, step=4e-6, like="m3gnet-random", **_M3GNET_FAULTS),
    Case(_TENSORNET, "matgl", published=_TENSORNET, like="tensornet-random"),
)

# Of the package, what has an underscore or no documentation; and the same of a network.
MEMBERS = (
    "matgl.config:BACKEND",
    "matgl.config:MATGL_CACHE",
    "matgl.config:PRETRAINED_MODELS_BASE_URL",
    "matgl.graph.converters:GraphConverter.get_graph_from_processed_structure",
    "matgl.utils.io:RemoteFile",
    "pymatgen.optimization.neighbors:find_points_in_spheres",
)
NETWORK_MEMBERS = (
    "calc_stresses",
    "model.cutoff",
    "model.element_types",
)


def make_checkpoint(case: Case, target: Path) -> None:
    """Pack published weights, or save a small network with random weights as the package does."""
    if case.published:
        pack(published_weights(case.published), PARTS, target)
        return
    import torch

    from crucible_engine.families.matgl.adapter import choose_backend

    choose_backend("PYG" if case.name.startswith("tensornet") else "DGL", target)
    from matgl import models
    from matgl.apps.pes import Potential
    from matgl.config import DEFAULT_ELEMENTS

    if case.name.startswith("m3gnet"):
        network = models.M3GNet(
            element_types=DEFAULT_ELEMENTS, units=16, nblocks=2, use_smooth=True, is_intensive=False
        )
    else:
        network = models.TensorNet(
            element_types=DEFAULT_ELEMENTS, units=16, nblocks=1, use_smooth=True, is_intensive=False
        )
    # The package keeps its layers in sets, which have another order each time: their numbers are drawn by name.
    torch.manual_seed(1)
    for _, module in sorted(network.named_modules()):
        if hasattr(module, "reset_parameters") and not list(module.children()):
            module.reset_parameters()
    with tempfile.TemporaryDirectory() as folder:
        Potential(network, data_std=0.5).save(folder)
        pack(Path(folder), PARTS, target)


def package_calculator(case: Case, checkpoint: Path, dtype: str) -> Calculator:
    """Return the package's own calculator, in double precision by its own switch."""
    import torch

    from crucible_engine.families.matgl.adapter import choose_backend

    choose_backend("PYG" if case.name.lower().startswith("tensornet") else "DGL", checkpoint)
    import matgl
    from matgl.ext.ase import PESCalculator

    from crucible_engine.families.matgl import compat

    with tempfile.TemporaryDirectory() as folder, compat.precision(dtype):
        with zipfile.ZipFile(checkpoint) as archive:
            archive.extractall(folder)
        potential = matgl.load_model(folder)
    calculator = PESCalculator(potential.to(dtype=getattr(torch, dtype)), stress_unit="eV/A3", use_voigt=False)
    calculate = calculator.calculate

    def calculate_in_precision(*arguments: Any, **keywords: Any) -> None:
        with compat.precision(dtype):
            calculate(*arguments, **keywords)

    calculator.calculate = calculate_in_precision
    return calculator

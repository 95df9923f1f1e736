"""What the demonstration computes: the 0 K part of the published PbTiO3 test for two models, and a short sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiida.engine import ProcessBuilder
from aiida.orm import AbstractCode, ArrayData, WorkChainNode

from aiida_crucible.analysis.phonons.born_charges import named_charges
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.references.published import pto_test
from aiida_crucible.report.tables import Comparison, ComparisonTable
from aiida_crucible.workflows.reliability.workchain import ReliabilityWorkChain

PROTOCOL = "pto-test"
REFERENCE = "experiment"
BESIDE = ("PBE", "PBEsol", "experiment")
"""Rows of the published table that stand beside the models."""
TEMPERATURES = [300.0, 600.0, 900.0, 1200.0]
"""K."""
SWEEP = {
    "parameters": {"temperatures": TEMPERATURES, "supercell_matrix": [2, 2, 2]},
    "base": {"dynamics": {"parameters": {"steps": 400}}},
}
"""What differs from the published protocol at finite temperature: 40 atoms for 0.8 ps instead of 625 for 100 ps."""


@dataclass(frozen=True)
class DemoModel:
    """One of the models.

    :param title: its name for people.
    :param family: of :mod:`crucible_engine.families.registry`.
    :param name: released weights, which the package itself contains.
    :param published: its row in the published table.
    :param is_heated: whether it runs at finite temperature as well.
    """

    title: str
    family: str
    name: str
    published: str
    is_heated: bool


MODELS = (
    DemoModel("CHGNet 0.3.0", "chgnet", "0.3.0", "CHGNet", is_heated=True),
    DemoModel("SevenNet 7net-l3i5", "sevennet", "7net-l3i5", "SevenNet", is_heated=False),
)


def prepare(model: DemoModel, code: AbstractCode) -> ProcessBuilder:
    """Return the WorkChain of one model, ready to run.

    :param model: which.
    :param code: its environment.
    """
    return ReliabilityWorkChain.get_builder_from_protocol(
        code=code,
        model=ModelData.get_or_create(model.family, model.name),
        structure=from_atoms(pto_test.starting_cell("tetragonal")),
        competing={"cubic": from_atoms(pto_test.starting_cell("cubic"))},
        reference=pto_test.reference(REFERENCE),
        protocol=PROTOCOL,
        overrides={"sweep": _sweep()} if model.is_heated else None,
    )


def compare(nodes: Mapping[str, WorkChainNode]) -> ComparisonTable:
    """Return the published table with what was computed.

    :param nodes: the finished WorkChains by their model's title.
    """
    published = pto_test.table_2()
    comparisons = [
        Comparison(model.title, _computed_values(nodes[model.title]), published[model.published]) for model in MODELS
    ]
    return ComparisonTable(comparisons, {name: published[name] for name in BESIDE})


def _sweep() -> dict[str, Any]:
    cubic = pto_test.starting_cell("cubic")
    charges = ArrayData({"charges": named_charges("PbTiO3-Zhong-1994").tensors(cubic)})
    return {**SWEEP, "reference_structure": from_atoms(cubic), "born_charges": charges}


def _computed_values(node: WorkChainNode) -> dict[str, float]:
    summary = node.outputs.summary.get_dict()
    lattice = summary["lattice"]["evidence"]["computed"] or {}
    difference = summary["energies"]["evidence"].get("differences", {}).get("cubic")
    numbers = {"a": lattice.get("a"), "c": lattice.get("c"), "c_over_a": lattice.get("c_over_a")}
    return {key: value for key, value in (numbers | {"delta_e": difference}).items() if value is not None}

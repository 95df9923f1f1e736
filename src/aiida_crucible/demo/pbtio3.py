"""What the demonstration computes: the 0 K part of the published PbTiO3 test, for two models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiida.engine import ProcessBuilder
from aiida.orm import AbstractCode, WorkChainNode

from aiida_crucible.data.model import ModelData
from aiida_crucible.references import pto_test
from aiida_crucible.report.figures import BandStructure, band_structure
from aiida_crucible.report.tables import Comparison, ComparisonTable
from aiida_crucible.structures import from_atoms
from aiida_crucible.workflows.reliability import ReliabilityWorkChain

PROTOCOL = "pto-test"
REFERENCE = "experiment"
BESIDE = ("PBE", "PBEsol", "experiment")
"""Rows of the published table that stand beside the models."""


@dataclass(frozen=True)
class DemoModel:
    """One of the models.

    :param title: its name for people.
    :param family: of :mod:`crucible_engine.models.catalogue`.
    :param name: released weights, which the package itself contains.
    :param published: its row in the published table.
    """

    title: str
    family: str
    name: str
    published: str


MODELS = (
    DemoModel("CHGNet 0.3.0", "chgnet", "0.3.0", "CHGNet"),
    DemoModel("SevenNet 7net-l3i5", "sevennet", "7net-l3i5", "SevenNet"),
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
    )


def compare(nodes: Mapping[str, WorkChainNode]) -> ComparisonTable:
    """Return the published table with what was computed.

    :param nodes: the finished WorkChains by their model's title.
    """
    published = pto_test.table_2()
    comparisons = [
        Comparison(model.title, _numbers(nodes[model.title]), published[model.published]) for model in MODELS
    ]
    return ComparisonTable(comparisons, {name: published[name] for name in BESIDE})


def _numbers(node: WorkChainNode) -> dict[str, float]:
    summary = node.outputs.summary.get_dict()
    lattice = summary["lattice"]["evidence"]["computed"] or {}
    difference = summary["energies"]["evidence"].get("differences", {}).get("cubic")
    numbers = {"a": lattice.get("a"), "c": lattice.get("c"), "c_over_a": lattice.get("c_over_a")}
    return {key: value for key, value in (numbers | {"delta_e": difference}).items() if value is not None}


def bands(nodes: Mapping[str, WorkChainNode]) -> list[BandStructure]:
    """Return the band structures of the tetragonal phase, of the models that have one."""
    phonons = {title: node.outputs.phonon for title, node in nodes.items() if "phonon" in node.outputs}
    return [band_structure(title, each.bands, each.dos) for title, each in phonons.items() if "bands" in each]

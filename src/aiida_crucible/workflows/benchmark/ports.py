"""The ports of a benchmark and of its batches of materials."""

from __future__ import annotations

from functools import partial
from typing import Any

from aiida.engine import ProcessSpec
from aiida.orm import AbstractCode, ArrayData, Dict, StructureData, TrajectoryData

from aiida_crucible.analysis.benchmark.settings import validate_benchmark_parameters
from aiida_crucible.calculations import validation
from aiida_crucible.calculations.ports import check_each, settings_input
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.anharmonicity.inputs import (
    check_anharmonic_crystal,
    check_constants_arrays,
)
from aiida_crucible.workflows.benchmark.inputs import check_frames, check_reference_settings, parse_protocols
from aiida_crucible.workflows.benchmark.stages import STAGES
from aiida_crucible.workflows.verify.workchain import VerifyWorkChain
from crucible_engine.wire.rules import shown

SHARED = ("code", "model", "parameters", "restart_from")
"""Inputs of the jobs that the batch sets."""


def define_materials(spec: ProcessSpec) -> None:
    """Declare materials and what there is of a reference, each by the material's label."""
    spec.input_namespace(
        "structures",
        valid_type=StructureData,
        dynamic=True,
        validator=validation.validator(partial(check_each, check_anharmonic_crystal)),
        help="The unit cell of each material by its label; relaxed with the model first.",
    )
    spec.input_namespace("references", required=False, help="What to compare with, by the materials' labels.")
    spec.input_namespace(
        "references.structures",
        valid_type=StructureData,
        dynamic=True,
        required=False,
        validator=validation.validator(partial(check_each, check_anharmonic_crystal)),
        help="The reference's unit cells.",
    )
    spec.input_namespace(
        "references.force_constants",
        valid_type=ArrayData,
        dynamic=True,
        required=False,
        validator=validation.validator(partial(check_each, check_constants_arrays)),
        help="Of the reference's unit cells, as `crucible.phonon` gives them or as they were imported.",
    )
    spec.input_namespace(
        "references.trajectories",
        valid_type=TrajectoryData,
        dynamic=True,
        required=False,
        validator=validation.validator(partial(check_each, check_frames)),
        help="Frames of the reference in a supercell, with `forces` (eV/Å); atoms in any order.",
    )


def define_jobs(spec: ProcessSpec) -> None:
    """Declare how each kind of job runs; what it computes is in the settings."""
    for stage in STAGES.values():
        job = stage.CHAIN.NAMESPACE
        spec.expose_inputs(
            stage.CHAIN,
            namespace=stage.NAMESPACE,
            exclude=tuple(f"{job}.{name}" for name in (*SHARED, *stage.KINDS)),
            namespace_options={"help": f"How these jobs run, see `crucible.{job}.base`."},
        )


def define_rows(spec: ProcessSpec) -> None:
    """Declare what comes of each material, by its label.

    What a row follows from, and the arrays behind it, are the inputs and outputs of its creator: to return them here
    too would double the links of a benchmark, which is most of what it costs.
    """
    spec.output_namespace(
        "rows",
        valid_type=Dict,
        dynamic=True,
        required=False,
        help="What the model says of a material and what is missing why, see "
        "`aiida_crucible.analysis.benchmark.rows.row_of`.",
    )


def define_inputs(spec: ProcessSpec) -> None:
    """Declare models, materials, what there is of a reference or makes it, and how each material is treated."""
    spec.input_namespace("codes", valid_type=AbstractCode, dynamic=True, help="The environment of each model.")
    spec.input_namespace("models", valid_type=ModelData, dynamic=True, help="Which potentials, by their labels.")
    define_materials(spec)
    spec.input(
        "groups",
        valid_type=Dict,
        required=False,
        serializer=_as_dict,
        help="The group of each material by its label, say its halide; by default its most electronegative non-metal.",
    )
    settings_input(
        spec,
        "protocols",
        parse_protocols,
        "By label how each material is treated, see `aiida_crucible.analysis.benchmark.settings.SECTIONS`.",
        has_default=False,
    )
    spec.input_namespace(
        "reference_model",
        required=False,
        populate_defaults=False,
        help="A model that makes the reference of those materials that `references` says nothing of.",
    )
    spec.input("reference_model.code", valid_type=AbstractCode, required=False)
    spec.input("reference_model.model", valid_type=ModelData, required=False)
    spec.input(
        "reference_model.settings",
        valid_type=Dict,
        required=False,
        validator=validation.validator(check_reference_settings),
        help="As a protocol, with one run at one temperature.",
    )
    settings_input(
        spec,
        "parameters",
        validate_benchmark_parameters,
        "See `aiida_crucible.analysis.benchmark.settings.PARAMETERS`.",
    )
    spec.expose_inputs(
        VerifyWorkChain,
        namespace="verify",
        exclude=("code", "model"),
        namespace_options={"help": "How to verify each model first, see `crucible.verify`."},
    )
    define_jobs(spec)


def define_results(spec: ProcessSpec) -> None:
    """Declare rows and what they say together."""
    spec.output_namespace(
        "rows",
        dynamic=True,
        required=False,
        help="By model, protocol and material, see `crucible.benchmark.batch`.",
    )
    spec.output_namespace(
        "reference_rows",
        dynamic=True,
        required=False,
        help="What the model that made the reference says of itself.",
    )
    spec.output(
        "summary",
        valid_type=Dict,
        required=False,
        help="By model and protocol, see `aiida_crucible.analysis.benchmark.summary.aggregate`.",
    )
    spec.output_namespace("tables", dynamic=True, required=False, help="The same as CSV files.")


def _as_dict(value: Any) -> Dict:
    """Return plain groups as a node.

    :raises ValueError: one line.
    """
    if not isinstance(value, dict):
        raise ValueError(f"groups are {shown(value)}: give a dict of groups by the materials' labels")
    return Dict(value)

"""The ports of a benchmark and of its batches of materials."""

from __future__ import annotations

from functools import partial
from typing import Any

from aiida.engine import ProcessSpec
from aiida.orm import AbstractCode, ArrayData, Dict, StructureData, TrajectoryData

from aiida_crucible.analysis.benchmark.settings import validate_benchmark_parameters
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
    crystals = partial(check_each, check_anharmonic_crystal)
    materials = "The unit cell of each material by its label; relaxed with the model first."
    spec.inputs_by_label(StructureData, crystals, structures=materials)
    spec.input_namespace("references", required=False, help="What to compare with, by the materials' labels.")
    cells = {"references.structures": "The reference's unit cells."}
    spec.inputs_by_label(StructureData, crystals, required=False, **cells)
    constants = "Of the reference's unit cells, as `crucible.phonon` gives them or as they were imported."
    check = partial(check_each, check_constants_arrays)
    spec.inputs_by_label(ArrayData, check, required=False, **{"references.force_constants": constants})
    frames = "Frames of the reference in a supercell, with `forces` (eV/Å); atoms in any order."
    check = partial(check_each, check_frames)
    spec.inputs_by_label(TrajectoryData, check, required=False, **{"references.trajectories": frames})


def define_jobs(spec: ProcessSpec) -> None:
    """Declare how each kind of job runs; what it computes is in the settings."""
    for stage in STAGES.values():
        job = stage.CHAIN.NAMESPACE
        exclude = [f"{job}.{name}" for name in (*SHARED, *stage.KINDS)]
        spec.expose_child(stage.CHAIN, stage.NAMESPACE, f"How these jobs run, see `crucible.{job}.base`.", exclude)


def define_inputs(spec: ProcessSpec) -> None:
    """Declare models, materials, what there is of a reference or makes it, and how each material is treated."""
    spec.inputs_by_label(AbstractCode, codes="The environment of each model.")
    spec.inputs_by_label(ModelData, models="Which potentials, by their labels.")
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
    made_by = {"reference_model.settings": "As a protocol, with one run at one temperature."}
    spec.input_nodes(Dict, check_reference_settings, required=False, **made_by)
    settings_input(
        spec,
        "parameters",
        validate_benchmark_parameters,
        "See `aiida_crucible.analysis.benchmark.settings.PARAMETERS`.",
    )
    verify = "How to verify each model first, see `crucible.verify`."
    spec.expose_child(VerifyWorkChain, "verify", verify, ("code", "model"))
    define_jobs(spec)


def define_results(spec: ProcessSpec) -> None:
    """Declare rows and what they say together."""
    spec.outputs_by_label(
        None,
        rows="By model, protocol and material, see `crucible.benchmark.batch`.",
        reference_rows="What the model that made the reference says of itself.",
        tables="The same as CSV files.",
    )
    spec.output_nodes(Dict, summary="By model and protocol, see `aiida_crucible.analysis.benchmark.summary.aggregate`.")


def _as_dict(value: Any) -> Dict:
    """Return plain groups as a node.

    :raises ValueError: one line.
    """
    if not isinstance(value, dict):
        raise ValueError(f"groups are {shown(value)}: give a dict of groups by the materials' labels")
    return Dict(value)

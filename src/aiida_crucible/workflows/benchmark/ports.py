"""The ports of a benchmark."""

from __future__ import annotations

from typing import Any

from aiida.engine import ProcessSpec
from aiida.orm import AbstractCode, Dict

from aiida_crucible.analysis.benchmark.settings import validate_benchmark_parameters
from aiida_crucible.calculations import validation
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.benchmark.batch_ports import define_jobs, define_materials
from aiida_crucible.workflows.benchmark.inputs import check_reference_settings, parse_protocols
from aiida_crucible.workflows.verify.workchain import VerifyWorkChain
from crucible_engine.wire.rules import shown


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
    spec.input(
        "protocols",
        valid_type=Dict,
        serializer=validation.settings_serializer("protocols", parse_protocols),
        validator=validation.validator(validation.settings_check(parse_protocols)),
        help="By label how each material is treated, see `aiida_crucible.analysis.benchmark.settings.SECTIONS`.",
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
    spec.input(
        "parameters",
        valid_type=Dict,
        default=lambda: Dict(validate_benchmark_parameters({})),
        serializer=validation.settings_serializer("parameters", validate_benchmark_parameters),
        validator=validation.validator(validation.settings_check(validate_benchmark_parameters)),
        help="See `aiida_crucible.analysis.benchmark.settings.PARAMETERS`.",
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

"""Relaxation of several structures with one model, verified first, in one job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.common import AttributeDict
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext
from aiida.orm import AbstractCode, Dict, StructureData

from aiida_crucible.calculations import validation
from aiida_crucible.calculations.relax.calculation import require_relaxable
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.common.arguments import with_checked_arguments
from aiida_crucible.workflows.common.protocols import as_code, fill_builder, with_options
from aiida_crucible.workflows.common.verified import VerifiedWorkChain, did_not_converge, message_of, relaxed_of
from aiida_crucible.workflows.relax.base import RelaxBaseWorkChain
from aiida_crucible.workflows.relax.calcfunctions import summarise_relaxation

SINGLE = "structure"
"""Key of a structure that comes alone."""


class RelaxWorkChain(VerifiedWorkChain):
    """Verify a model, relax structures with it, and say what came out."""

    JOBS = ("verify.verify", "base.relax")

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        spec.input_namespace(
            "structures",
            valid_type=StructureData,
            dynamic=True,
            validator=validation.validator(validation.check_structures),
            help="What to relax.",
        )
        spec.expose_inputs(
            RelaxBaseWorkChain,
            namespace="base",
            exclude=("relax.code", "relax.model", "relax.structures", "relax.restart_from"),
            namespace_options={"help": "How to relax, see `crucible.relax.base`."},
        )
        spec.outline(cls.verify, cls.inspect_verification, cls.relax, cls.inspect_relaxation)
        spec.expose_outputs(RelaxBaseWorkChain)
        spec.output(
            "summary",
            valid_type=Dict,
            required=False,
            help="Outcome (the worst) and for each structure outcome, energy, conventional cell and space groups.",
        )
        spec.exit_code(320, "ERROR_RELAXATION_FAILED", message="the relaxation failed: {detail}")

    @classmethod
    def symbols_by_input(cls, inputs: Mapping[str, Any]) -> dict[str, set[str]]:
        """Return the chemical symbols of each structure."""
        return validation.symbols_of(inputs.get("structures"))

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check that there is something to relax."""
        if not inputs.get("structures"):
            raise ValueError("there is nothing to relax: give structures")
        super().check_inputs(inputs)
        require_relaxable(inputs["structures"], inputs["base"]["relax"]["parameters"])

    @classmethod
    @with_checked_arguments
    def get_builder_from_protocol(
        cls,
        code: AbstractCode | str,
        model: ModelData,
        structure: StructureData | Mapping[str, StructureData],
        protocol: str | None = None,
        *,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder that is ready to run.

        :param code: the Python of the model's environment, or its label.
        :param model: which potential.
        :param structure: what to relax; several by name.
        :param protocol: one of :meth:`get_available_protocols`.
        :param overrides: inputs to set otherwise, nested as the ports are.
        :param options: ``metadata.options`` of the jobs.
        :raises ValueError: one line, if something is misspelt or does not fit.
        """
        builder = cls.get_builder()
        inputs = with_options(cls.get_protocol_inputs(protocol, overrides), cls.spec().inputs, cls.JOBS, options)
        structures = structure if isinstance(structure, Mapping) else {SINGLE: structure}
        fill_builder(builder, {"code": as_code(code), "model": model, "structures": structures, **inputs})
        return builder

    def relax(self) -> ToContext:
        """Relax all structures in one job."""
        inputs = AttributeDict(self.exposed_inputs(RelaxBaseWorkChain, "base"))
        inputs.relax.update(code=self.inputs.code, model=self.inputs.model, structures=self.inputs.structures)
        return ToContext(relaxation=self.submit(RelaxBaseWorkChain, **inputs))

    def inspect_relaxation(self) -> ExitCode | None:
        """Attach what there is and summarise it; a structure that ran away or did not converge is a result."""
        child = self.ctx.relaxation
        self.out_many(self.exposed_outputs(child, RelaxBaseWorkChain))
        if not child.is_finished_ok and not did_not_converge(child):
            code: ExitCode = self.exit_codes.ERROR_RELAXATION_FAILED.format(detail=message_of(child))
            return code
        relaxed = relaxed_of(child)
        self.out("summary", summarise_relaxation(results=child.outputs.results, **relaxed))
        return None

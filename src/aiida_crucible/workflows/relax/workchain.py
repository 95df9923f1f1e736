"""Relaxation of several structures with one model, verified first, in one job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext
from aiida.orm import AbstractCode, Dict, StructureData

from aiida_crucible.calculations import validation
from aiida_crucible.calculations.relax.calculation import require_relaxable
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.common.protocols import with_checked_arguments
from aiida_crucible.workflows.relax.base import SINGLE, RelaxBaseWorkChain, RelaxingWorkChain


class RelaxWorkChain(RelaxingWorkChain):
    """Verify a model, relax structures with it, and say what came out."""

    JOBS = ("verify.verify", "base.relax")

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        spec.inputs_by_label(StructureData, validation.check_structures, structures="What to relax.")
        RelaxBaseWorkChain.expose_in(spec, "base", "How to relax, see `crucible.relax.base`.")
        spec.outline(cls.verify, cls.inspect_verification, cls.relax, cls.inspect_relaxation)
        spec.expose_outputs(RelaxBaseWorkChain)
        spec.output_nodes(
            Dict,
            summary="Outcome (the worst) and for each structure outcome, energy, conventional cell and space groups.",
        )

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

        Further arguments are those of every WorkChain with protocols: :class:`ProtocolMixin`.

        :param structure: what to relax; several by name.
        """
        structures = structure if isinstance(structure, Mapping) else {SINGLE: structure}
        return cls.build(
            cls.get_protocol_inputs(protocol, overrides), options, code=code, model=model, structures=structures
        )

    def relax(self) -> ToContext:
        """Relax all structures in one job."""
        return self.submit_relaxation(self.inputs.structures, "base")

    def inspect_relaxation(self) -> ExitCode | None:
        """Attach what there is and summarise it; a structure that ran away or did not converge is a result."""
        self.out_many(self.exposed_outputs(self.ctx.relaxation, RelaxBaseWorkChain))
        if (failure := self.take_relaxation()) is not None:
            return failure
        self.out("summary", self.ctx.relaxation_summary)
        return None

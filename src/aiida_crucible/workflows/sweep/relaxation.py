"""The first step of a temperature sweep that starts from the model's own crystal instead of the one that was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida.common import AttributeDict
from aiida.engine import ExitCode, ProcessSpec, ToContext
from aiida.orm import Dict, StructureData

from aiida_crucible.analysis.dynamics.start import judge_start
from aiida_crucible.analysis.dynamics.sweep_settings import validate_sweep
from aiida_crucible.analysis.verdict.answers import NO
from aiida_crucible.workflows.common.verified import VerifiedWorkChain, did_not_converge, message_of, relaxed_of
from aiida_crucible.workflows.relax.base import RelaxBaseWorkChain
from aiida_crucible.workflows.relax.calcfunctions import summarise_relaxation
from aiida_crucible.workflows.sweep.inputs import KEY
from aiida_crucible.workflows.sweep.run_calcfunctions import strain_unit_cell
from crucible_engine.tasks.parameters import validate_parameters


class RelaxedFirst(VerifiedWorkChain):
    """A sweep that relaxes its crystal first, where it is told how.

    In the context: ``structure`` (the crystal that is run, ``None`` where it could not be relaxed) and ``not_relaxed``
    (why).

    :cvar RELAXED_PROTOCOLS: the protocols that relax; the others only where overrides speak of it, because a crystal
        that is given may be meant as it is (a measured lattice, a phase that the model does not hold).
    """

    RELAXED_PROTOCOLS: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare how to relax, and what comes of it."""
        super().define(spec)
        spec.expose_inputs(
            RelaxBaseWorkChain,
            namespace="relax",
            exclude=("relax.code", "relax.model", "relax.structures", "relax.restart_from"),
            namespace_options={
                "required": False,
                "populate_defaults": False,
                "help": "How to relax the unit cell first, see `crucible.relax.base`; left out, it is run as it is.",
            },
        )
        spec.output("structure", valid_type=StructureData, required=False, help="The relaxed unit cell.")
        spec.output("relaxation", valid_type=Dict, required=False, help="See `crucible.relax`, output `summary`.")
        spec.exit_code(320, "ERROR_RELAXATION_FAILED", message="the relaxation failed: {detail}")

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check that a lattice that is to be kept is not relaxed away."""
        super().check_inputs(inputs)
        if "relax" in inputs and "parameters" in inputs:
            relaxation = validate_parameters("relax", inputs["relax"]["relax"]["parameters"].get_dict())
            if validate_sweep(inputs["parameters"].get_dict())["cell_lengths"] and relaxation["cell"] != "fixed":
                raise ValueError(
                    f"relax.relax.parameters.cell is {relaxation['cell']!r}, but parameters.cell_lengths keep the "
                    "lattice: set cell to 'fixed'"
                )

    @classmethod
    def get_protocol_inputs(
        cls, protocol: str | None = None, overrides: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the inputs of a protocol; how to relax is among them where the protocol does or overrides say so."""
        inputs = super().get_protocol_inputs(protocol)
        is_wanted = isinstance(overrides, Mapping) and "relax" in overrides
        if not is_wanted and (protocol or cls.get_default_protocol()) not in cls.RELAXED_PROTOCOLS:
            del inputs["relax"]
        return cls.override(inputs, overrides)

    def should_relax(self) -> bool:
        """Return whether the crystal is to be relaxed first."""
        self.ctx.structure, self.ctx.not_relaxed = self.inputs.structure, None
        self.ctx.analyses, self.ctx.missing = {}, {}
        self.ctx.left_over, self.ctx.chain_end = [], None
        return "relax" in self.inputs

    def relax(self) -> ToContext:
        """Relax the unit cell, in the lattice that it is to be kept at."""
        structure = self.inputs.structure
        if validate_sweep(self.inputs.parameters.get_dict())["cell_lengths"]:
            structure = strain_unit_cell(structure, self.inputs.parameters)
        inputs = AttributeDict(self.exposed_inputs(RelaxBaseWorkChain, "relax"))
        inputs.relax.update(code=self.inputs.code, model=self.inputs.model, structures={KEY: structure})
        inputs.metadata.call_link_label = "relax"
        return ToContext(relaxation=self.submit(RelaxBaseWorkChain, **inputs))

    def inspect_relaxation(self) -> ExitCode | None:
        """Go on with what was relaxed; what could not be relaxed has no crystal to run, which is a result."""
        child = self.ctx.relaxation
        if not child.is_finished_ok and not did_not_converge(child):
            code: ExitCode = self.exit_codes.ERROR_RELAXATION_FAILED.format(detail=message_of(child))
            return code
        relaxed = relaxed_of(child)
        summary = summarise_relaxation(results=child.outputs.results, **relaxed)
        self.out("relaxation", summary)
        if KEY in relaxed:
            self.out("structure", relaxed[KEY])
        self.ctx.structure = relaxed[KEY] if summary["outcome"] == "converged" else None
        if self.ctx.structure is None:
            self.ctx.not_relaxed = f"the crystal could not be relaxed: {summary['outcome']}"
            self.report(self.ctx.not_relaxed)
        return None

    def has_crystal(self) -> bool:
        """Return whether there is a crystal to run."""
        return self.ctx.structure is not None

    def warn_of_start(self, analysis: Dict) -> None:
        """Say with the first temperature, not days later, that the crystal was not at rest."""
        dynamics = validate_parameters("dynamics", self.inputs.base.dynamics.parameters.get_dict())
        answer = judge_start(analysis["start"], dynamics)
        if answer.answer == NO:
            self.report(f"warning: {answer.reason}")

"""Relaxations in a WorkChain: ``crucible.relax`` restarted where that helps, and the steps that run it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida.engine import ExitCode, ProcessHandlerReport, ProcessSpec, ToContext, process_handler
from aiida.orm import CalcJobNode, Dict, ProcessNode, StructureData

from aiida_crucible.calculations import validation
from aiida_crucible.calculations.exit_codes import OF_CONDITION, exits
from aiida_crucible.calculations.relax.calculation import RelaxCalculation
from aiida_crucible.monitoring.words import title_of
from aiida_crucible.workflows.common.restart import EngineRestartWorkChain
from aiida_crucible.workflows.common.verified import VerifiedWorkChain
from aiida_crucible.workflows.common.workchain import message_of
from aiida_crucible.workflows.relax.calcfunctions import summarise_relaxation
from crucible_engine.wire.schema import Condition

SINGLE = "structure"
"""Key of a structure that comes alone."""


class RelaxBaseWorkChain(EngineRestartWorkChain):
    """Relax structures; what was interrupted is continued, and what did not converge goes on where it ended."""

    NAMESPACE = "relax"
    _process_class = RelaxCalculation

    @process_handler(priority=200, exit_codes=exits(OF_CONDITION[Condition.NOT_CONVERGED]))
    def allow_more_steps(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Let the next job go on where this one ended, with as many steps again.

        It continues the same relaxation of the same structures, and so knows what they were and how far they are: the
        last job tells of all structures what one job with all steps would have told.
        """
        parameters = node.inputs.parameters.get_dict()
        more = self.inputs[self.NAMESPACE].parameters["max_steps"]
        self.ctx.inputs.parameters = Dict({**parameters, "max_steps": parameters["max_steps"] + more})
        self.continue_from(node)
        self.report(f"{title_of(node)} did not converge ({node.exit_message}): it goes on")
        return ProcessHandlerReport(True)


class RelaxingWorkChain(VerifiedWorkChain):
    """A WorkChain with a step that relaxes structures.

    In the context after it: ``relaxed``, the last geometries by their keys, and ``relaxation_summary``.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare how the step fails."""
        super().define(spec)
        spec.exit_code(320, "ERROR_RELAXATION_FAILED", message="the relaxation failed: {detail}")

    def submit_relaxation(
        self, structures: Mapping[str, StructureData], namespace: str = "relax", call: str | None = None
    ) -> ToContext:
        """Relax structures in one job; see :meth:`submit_restarting`."""
        return ToContext(relaxation=self.submit_restarting(RelaxBaseWorkChain, namespace, call, structures=structures))

    def take_relaxation(self) -> ExitCode | None:
        """Summarise what came of it; a structure that ran away or did not converge is a result."""
        child = self.ctx.relaxation
        if not child.is_finished_ok and not did_not_converge(child):
            return self.failure("ERROR_RELAXATION_FAILED", message_of(child))
        self.ctx.relaxed = relaxed_of(child)
        self.ctx.relaxation_summary = summarise_relaxation(results=child.outputs.results, **self.ctx.relaxed)
        return None


class CrystalRelaxedFirst(RelaxingWorkChain):
    """A WorkChain that relaxes its crystal first, where it is told how.

    In the context: ``structure``, the crystal that is treated, ``None`` where it could not be relaxed.

    :cvar RELAX_HELP: help of the inputs that say how.
    :cvar RELAXED_HELP: help of the output ``structure``.
    """

    RELAX_HELP: ClassVar[str]
    RELAXED_HELP: ClassVar[str]

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare how to relax, and what comes of it."""
        super().define(spec)
        RelaxBaseWorkChain.expose_in(spec, "relax", cls.RELAX_HELP, is_optional=True)
        spec.output_nodes(StructureData, structure=cls.RELAXED_HELP)
        spec.output_nodes(Dict, relaxation="See `crucible.relax`, output `summary`.")

    @classmethod
    def symbols_by_input(cls, inputs: Mapping[str, Any]) -> dict[str, set[str]]:
        """Return the chemical symbols of the crystal."""
        return validation.symbols_of({SINGLE: inputs["structure"]} if "structure" in inputs else {})

    def should_relax(self) -> bool:
        """Return whether the crystal is to be relaxed first."""
        self.ctx.structure = self.inputs.structure
        return "relax" in self.inputs

    def relax(self) -> ToContext:
        """Relax the crystal."""
        return self.submit_relaxation({SINGLE: self.inputs.structure})

    def inspect_relaxation(self) -> ExitCode | None:
        """Go on with what was relaxed; that a crystal could not be relaxed is a result."""
        if (failure := self.take_relaxation()) is not None:
            return failure
        relaxed, summary = self.ctx.relaxed, self.ctx.relaxation_summary
        self.out("relaxation", summary)
        if SINGLE in relaxed:
            self.out("structure", relaxed[SINGLE])
        self.ctx.structure = relaxed[SINGLE] if summary["outcome"] == "converged" else None
        if self.ctx.structure is None:
            self.explain_no_crystal(summary)
        return None

    def explain_no_crystal(self, summary: Dict) -> None:
        """Say that there is no crystal to treat.

        :param summary: see :func:`aiida_crucible.workflows.relax.calcfunctions.summarise_relaxation`.
        """
        raise NotImplementedError

    def has_crystal(self) -> bool:
        """Return whether there is a crystal to treat."""
        return self.ctx.structure is not None


def did_not_converge(child: ProcessNode) -> bool:
    """Return whether a failed relaxation is one that used up its steps, which is a result."""
    if "results" not in child.outputs:
        return False
    return bool(child.outputs.results.get_dict()["condition"] == Condition.NOT_CONVERGED.value)


def relaxed_of(child: ProcessNode) -> dict[str, StructureData]:
    """Return the last geometries of a relaxation by their keys; a model that gave NaN leaves none."""
    return dict(child.outputs.relaxed.items()) if "relaxed" in child.outputs else {}

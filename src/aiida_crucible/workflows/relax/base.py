"""``crucible.relax``, restarted where that helps."""

from __future__ import annotations

from aiida.engine import ProcessHandlerReport, process_handler
from aiida.orm import CalcJobNode, Dict

from aiida_crucible.calculations.exit_codes import OF_CONDITION, exits
from aiida_crucible.calculations.relax.calculation import RelaxCalculation
from aiida_crucible.workflows.common.restart import EngineRestartWorkChain
from crucible_engine.wire.schema import Condition


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
        self.report(f"{node.process_label}<{node.pk}> did not converge ({node.exit_message}): it goes on")
        return ProcessHandlerReport(True)

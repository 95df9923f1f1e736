"""``crucible.relax``, restarted where that helps."""

from __future__ import annotations

from aiida.engine import ProcessHandlerReport, process_handler
from aiida.orm import CalcJobNode

from aiida_crucible.calculations.relax import RelaxCalculation
from aiida_crucible.exit_codes import OF_CONDITION, exits
from aiida_crucible.workflows.base.restart import EngineRestartWorkChain
from crucible_engine.schema import Condition


class RelaxBaseWorkChain(EngineRestartWorkChain):
    """Relax structures; what was interrupted is continued, and what did not converge goes on from its last geometry."""

    NAMESPACE = "relax"
    _process_class = RelaxCalculation

    @process_handler(priority=200, exit_codes=exits(OF_CONDITION[Condition.NOT_CONVERGED]))
    def go_on_from_last_geometry(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Relax on from the last geometries.

        Those that had converged are found so by their first step. Those that failed physically begin anew: their last
        geometry means nothing, and the last job is to tell of all structures.
        """
        summaries = node.outputs.results.get_dict()["summary"]["structures"]
        usable = {key for key, summary in summaries.items() if summary["outcome"] in ("converged", "not-converged")}
        self.ctx.inputs.structures = {
            key: node.outputs.relaxed[key] if key in usable else structure
            for key, structure in node.inputs.structures.items()
        }
        self.ctx.inputs.pop("restart_from", None)
        self.report(f"{node.process_label}<{node.pk}> did not converge ({node.exit_message}): it goes on")
        return ProcessHandlerReport(True)

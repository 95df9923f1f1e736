"""``crucible.evaluate``, restarted where that helps."""

from __future__ import annotations

from aiida_crucible.calculations.evaluate.calculation import EvaluateCalculation
from aiida_crucible.workflows.common.restart import EngineRestartWorkChain


class EvaluateBaseWorkChain(EngineRestartWorkChain):
    """Evaluate structures; what was interrupted is continued, and a batch that does not fit into memory is halved."""

    NAMESPACE = "evaluate"
    _process_class = EvaluateCalculation

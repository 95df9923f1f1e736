"""``crucible.speed``, restarted where that helps."""

from __future__ import annotations

from aiida_crucible.calculations.speed.calculation import SpeedCalculation
from aiida_crucible.workflows.common.restart import EngineRestartWorkChain


class SpeedBaseWorkChain(EngineRestartWorkChain):
    """Time a model; what was interrupted, or was ended for its memory, goes on with what is left."""

    NAMESPACE = "speed"
    _process_class = SpeedCalculation

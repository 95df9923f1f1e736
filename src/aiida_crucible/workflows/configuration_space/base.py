"""``crucible.similarity``, restarted where that helps."""

from __future__ import annotations

from aiida_crucible.calculations.similarity.calculation import SimilarityCalculation
from aiida_crucible.workflows.common.restart import EngineRestartWorkChain


class SimilarityBaseWorkChain(EngineRestartWorkChain):
    """Compare frames; the tiles of the kernel that an interrupted job had done are not computed again."""

    NAMESPACE = "similarity"
    _process_class = SimilarityCalculation

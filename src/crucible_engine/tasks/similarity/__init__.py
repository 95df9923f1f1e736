"""The task ``similarity``: how alike the frames of trajectories are, and a map of them."""

from __future__ import annotations

from crucible_engine.tasks.facts import Task, Toolset
from crucible_engine.tasks.similarity.parameters import SIMILARITY


def _find_device(wanted: str) -> str:
    from crucible_engine.tasks.similarity.gpu import find_device

    return find_device(wanted)


ANALYSIS = Toolset(
    name="analysis",
    package="dscribe",
    import_name="dscribe",
    title="configuration space (SOAP, REMatch, kernel PCA)",
    folder=__name__,
    find_device=_find_device,
    torch="2.13.0",
)
TASK = Task(name="similarity", parameters=SIMILARITY, toolset=ANALYSIS, rank=4)

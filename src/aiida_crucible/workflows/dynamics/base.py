"""``crucible.dynamics``, continued until its steps are done, however many allocations that takes."""

from __future__ import annotations

from aiida_crucible.calculations.dynamics.calculation import DynamicsCalculation
from aiida_crucible.workflows.common.run_folders import Progress, RunFolderWorkChain


class DynamicsBaseWorkChain(RunFolderWorkChain):
    """Run molecular dynamics to its last step, from checkpoint to checkpoint.

    A run may need a hundred jobs: `max_iterations` counts those in a row that did not bring it on. Each job continues a
    copy of the run folder of the one before; once a job has a checkpoint of its own, the copy before it is removed, so
    that no more than two are on the computer.
    """

    NAMESPACE = "dynamics"
    _process_class = DynamicsCalculation

    @staticmethod
    def reached_by(checkpoint: dict[str, int]) -> Progress:
        """Return the replica and step of a checkpoint."""
        return checkpoint["replica"], checkpoint["step"]

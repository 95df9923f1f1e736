"""``crucible.train``, continued until its epochs are done, however many allocations that takes."""

from __future__ import annotations

from aiida_crucible.calculations.train.calculation import TrainCalculation
from aiida_crucible.workflows.common.run_folders import Progress, RunFolderWorkChain


class TrainBaseWorkChain(RunFolderWorkChain):
    """Train a model to its last epoch, from checkpoint to checkpoint.

    `max_iterations` counts the jobs in a row that did not bring it on. Each job continues a copy of the run folder of
    the one before, which is removed once the next has a checkpoint of its own.
    """

    NAMESPACE = "train"
    _process_class = TrainCalculation

    @staticmethod
    def reached_by(checkpoint: dict[str, int]) -> Progress:
        """Return the epoch and step of a checkpoint."""
        return checkpoint["epoch"], checkpoint["step"]

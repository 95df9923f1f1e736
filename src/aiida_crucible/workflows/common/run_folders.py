"""Jobs that keep their state in a run folder, continued until they are done, however many allocations it takes."""

from __future__ import annotations

import abc
from contextlib import nullcontext

from aiida.engine import ExitCode, ProcessHandlerReport, ToContext, process_handler
from aiida.manage.caching import disable_caching
from aiida.orm import CalcJobNode, RemoteData

from aiida_crucible.calculations.exit_codes import NOTHING_TO_CONTINUE, exits
from aiida_crucible.compat.aiida_orm import clean_folder
from aiida_crucible.monitoring.words import title_of
from aiida_crucible.workflows.common.restart import EngineRestartWorkChain

Progress = tuple[int, int]
"""How far a checkpoint is; what is further on is larger."""

NOWHERE: Progress = (-1, -1)


class RunFolderWorkChain(EngineRestartWorkChain):
    """Run a job to its end, from checkpoint to checkpoint.

    A run may need a hundred jobs: `max_iterations` counts those in a row that did not bring it on. Each job continues a
    copy of the run folder of the one before; once a job has a checkpoint of its own, the copy before it is removed, so
    that no more than two are on the computer.
    """

    @staticmethod
    @abc.abstractmethod
    def reached_by(checkpoint: dict[str, int]) -> Progress:
        """Return how far a checkpoint is, from what an unfinished job's summary says of it."""

    def setup(self) -> None:
        """Begin with no progress."""
        super().setup()
        self.ctx.fruitless = 0
        self.ctx.reached = NOWHERE
        self.ctx.has_begun_anew = False

    def run_process(self) -> ToContext:
        """Run the next job; a run that begins anew is not led by the cache to the checkpoint that is lost."""
        with disable_caching() if self.ctx.has_begun_anew else nullcontext():
            return super().run_process()

    def inspect_process(self) -> ExitCode | None:
        """Let the handlers decide, and the jobs in a row that made no progress count as iterations."""
        children, iterations = self.ctx.children, self.ctx.iteration
        self._count(children[-1])
        # Index -1 is the last child as well: the base class finds it for any count.
        self.ctx.iteration = self.ctx.fruitless
        self.ctx.children = children[-self.ctx.fruitless :]
        try:
            exit_code: ExitCode | None = super().inspect_process()
            if self.ctx.iteration != self.ctx.fruitless:
                self.ctx.fruitless = 0  # the user has looked at it and lets it go on
        finally:
            self.ctx.children, self.ctx.iteration = children, iterations
        return exit_code

    @process_handler(priority=650, exit_codes=exits(NOTHING_TO_CONTINUE))
    def begin_anew(self, node: CalcJobNode) -> ProcessHandlerReport | None:
        """Begin anew, once, where the computer has lost the checkpoint of a job of this WorkChain."""
        if tuple(self.ctx.reached) == NOWHERE or self.ctx.has_begun_anew:
            return None
        self.ctx.inputs.pop("restart_from", None)
        self.ctx.reached, self.ctx.has_begun_anew = NOWHERE, True
        self.report(f"{title_of(node)}: {node.exit_message}: the run begins anew")
        return ProcessHandlerReport(True)

    def continue_from(self, node: CalcJobNode) -> None:
        """Let the next job continue the newest checkpoint that there is."""
        if self._checkpoint_of(node) is not None:
            self.ctx.inputs.restart_from = node.outputs.remote_folder

    def _count(self, node: CalcJobNode) -> None:
        """Note whether a job made progress, and remove the run folders that are superseded then."""
        checkpoint = self._checkpoint_of(node)
        has_progressed = checkpoint is not None and checkpoint > tuple(self.ctx.reached)
        if has_progressed:
            self.ctx.reached = checkpoint
        self.ctx.fruitless = 0 if has_progressed else self.ctx.fruitless + 1
        if has_progressed or node.is_finished_ok:
            for child in self.ctx.children[:-1]:
                self._remove_superseded(child)

    def _remove_superseded(self, node: CalcJobNode) -> None:
        """Clean the folder of a job that another has continued; a cached one's belongs to somebody else."""
        if node.base.caching.is_created_from_cache or "remote_folder" not in node.outputs:
            return
        folder: RemoteData = node.outputs.remote_folder
        if folder.is_cleaned:
            return
        try:
            clean_folder(folder)
        except Exception as error:  # each transport has its own; a copy too many harms nobody
            self.report(f"the superseded folder of {title_of(node)} was not removed: {error}")

    def _checkpoint_of(self, node: CalcJobNode) -> Progress | None:
        """Return how far the checkpoint of an unfinished job is; ``None`` if it left none."""
        if "results" not in node.outputs:
            return None
        checkpoint = node.outputs.results["summary"].get("checkpoint")
        return None if checkpoint is None else self.reached_by(checkpoint)

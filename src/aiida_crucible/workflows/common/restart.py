"""What the restart WorkChains share: after which failures a job is run again, and how."""

from __future__ import annotations

from typing import ClassVar

from aiida.common import AttributeDict
from aiida.engine import BaseRestartWorkChain, ExitCode, ProcessHandlerReport, ProcessSpec, process_handler, while_
from aiida.orm import CalcJobNode, Dict, Int

from aiida_crucible.calculations import validation
from aiida_crucible.calculations.exit_codes import (
    FIRST_CACHED_STATUS,
    NODE_FAILURE,
    OF_CONDITION,
    OUT_OF_WALLTIME,
    exits,
)
from aiida_crucible.calculations.ports import WorkflowSpec
from aiida_crucible.monitoring.foreground import EndsItsJobs
from aiida_crucible.monitoring.words import title_of
from aiida_crucible.workflows.common.workchain import said_of
from crucible_engine.wire.schema import JOURNAL_FILE, RESULTS_FILE, Condition

INTERRUPTED = OF_CONDITION[Condition.INTERRUPTED]
OUT_OF_MEMORY = OF_CONDITION[Condition.OUT_OF_MEMORY]
CHECKPOINT_MISSING = OF_CONDITION[Condition.CHECKPOINT_MISSING]

SMALLEST_BATCH = 2
"""It halves to one structure at a time: the safe choice after a batch of unknown size did not fit."""


class EngineRestartWorkChain(EndsItsJobs, BaseRestartWorkChain):
    """Run a CalcJob until it is done: continue what was interrupted, and stop at once where no restart helps.

    Whatever the last job produced is attached, also when the WorkChain gives up.
    """

    NAMESPACE: ClassVar[str]
    _spec_class = WorkflowSpec

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Expose the CalcJob and declare the loop."""
        super().define(spec)
        spec.inputs["max_iterations"].validator = validation.validator(check_max_iterations)
        spec.expose_inputs(cls._process_class, namespace=cls.NAMESPACE)
        spec.expose_outputs(cls._process_class)
        spec.outline(
            cls.setup,
            while_(cls.should_run_process)(
                cls.run_process,
                cls.inspect_process,
            ),
            cls.results,
        )
        spec.exit_code(
            310, "ERROR_UNRECOVERABLE", message="{job} failed, and running it again would not help: {detail}"
        )
        # AiiDA's own code, which does not say why.
        spec.exit_code(301, "ERROR_SUB_PROCESS_EXCEPTED", message="{job} excepted: {detail}")

    @classmethod
    def expose_in(cls, spec: ProcessSpec, namespace: str, description: str, is_optional: bool = False) -> None:
        """Let another WorkChain expose the inputs of these jobs, but for those that it fills in itself.

        :param spec: of the other one.
        :param namespace: there.
        :param is_optional: whether such jobs run only where the namespace is given.
        """
        filled = ("code", "model", "restart_from", *cls._process_class.TREATED)
        exclude = [f"{cls.NAMESPACE}.{name}" for name in filled]
        spec.expose_child(cls, namespace, description, exclude, required=not is_optional)

    def setup(self) -> None:
        """Begin with the inputs as they were given."""
        super().setup()
        self.ctx.inputs = AttributeDict(self.exposed_inputs(self._process_class, self.NAMESPACE))

    def inspect_process(self) -> ExitCode | None:
        """Let the handlers decide; attach what there is when they give up."""
        exit_code: ExitCode | None = super().inspect_process()
        job = self.ctx.children[self.ctx.iteration - 1]
        if exit_code is not None and exit_code.status != 0:
            self._attach_outputs(job)
        if job.is_excepted:
            excepted: ExitCode = self.exit_codes.ERROR_SUB_PROCESS_EXCEPTED
            return excepted.format(job=title_of(job), detail=said_of(job))
        return exit_code

    def on_terminated(self) -> None:
        """Clean the jobs' folders where that is asked for; that it is not is nothing to report."""
        if self.inputs.clean_workdir.value:
            super().on_terminated()
        else:
            super(BaseRestartWorkChain, self).on_terminated()

    @process_handler(priority=600)
    def stop_at_unrecoverable_failure(self, node: CalcJobNode) -> ProcessHandlerReport | None:
        """Stop with the job's own message."""
        if not node.is_failed or node.exit_status >= FIRST_CACHED_STATUS or self._can_be_staged_again(node):
            return None
        return self.give_up(node, node.exit_message)

    @process_handler(priority=500, exit_codes=exits(CHECKPOINT_MISSING))
    def stage_checkpoint_again(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Run again what found its checkpoint file cleaned away; the next job brings it back."""
        self.report(f"the checkpoint file was cleaned from {node.computer.label}: it is brought there again")
        return ProcessHandlerReport(True)

    @process_handler(priority=400, exit_codes=exits(INTERRUPTED, OUT_OF_WALLTIME, NODE_FAILURE))
    def continue_interrupted(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Continue from the journal of what was done."""
        self.continue_from(node)
        self.report(f"{title_of(node)} was cut short: {node.exit_message}")
        return ProcessHandlerReport(True)

    @process_handler(priority=300, exit_codes=exits(OUT_OF_MEMORY))
    def halve_batch(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Continue with half the batch after the scheduler ended a job for its memory.

        Where the engine itself ran out of memory it has halved its batches down to one structure already.
        """
        size = _batch_size(node)
        if _noticed_by_engine(node) or size is None or size == 1:
            return self.give_up(node, f"{node.exit_message}: ask for more memory, or for a GPU that has more")
        self.ctx.inputs.parameters = Dict({**node.inputs.parameters.get_dict(), "batch_size": size // 2})
        self.continue_from(node)
        self.report(f"memory ran out with batches of {size}: continuing with {size // 2}")
        return ProcessHandlerReport(True)

    def continue_from(self, node: CalcJobNode) -> None:
        """Let the next job continue the journal that a job left, if it left one."""
        if JOURNAL_FILE in node.outputs.retrieved.base.repository.list_object_names():
            self.ctx.inputs.restart_from = node.outputs.retrieved

    def give_up(self, node: CalcJobNode, detail: str) -> ProcessHandlerReport:
        """Return the report that ends the WorkChain with the job's own message."""
        return ProcessHandlerReport(True, self.exit_codes.ERROR_UNRECOVERABLE.format(job=title_of(node), detail=detail))

    def _can_be_staged_again(self, node: CalcJobNode) -> bool:
        """Return whether a job failed for a checkpoint file that we can bring back, and did not fail for it twice."""
        if node.exit_status != CHECKPOINT_MISSING.status or node.inputs.model.checkpoint_path is not None:
            return False
        return bool(sum(child.exit_status == CHECKPOINT_MISSING.status for child in self.ctx.children) == 1)


def check_max_iterations(value: Int) -> None:
    """Refuse to run nothing.

    :raises ValueError: one line.
    """
    if value.value < 1:
        raise ValueError(f"max_iterations is {value.value}: give at least 1")


def _batch_size(node: CalcJobNode) -> int | None:
    """Return the batch size that a job was given, a guess where it was to find one; ``None`` if its task has none."""
    parameters = node.inputs.parameters.get_dict()
    return parameters["batch_size"] or SMALLEST_BATCH if "batch_size" in parameters else None


def _noticed_by_engine(node: CalcJobNode) -> bool:
    """Return whether the engine itself lived to say that the memory did not suffice."""
    if RESULTS_FILE not in node.outputs.retrieved.base.repository.list_object_names():
        return False
    return bool(node.outputs.results["condition"] == Condition.OUT_OF_MEMORY.value)

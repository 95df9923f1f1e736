"""What the WorkChains of this package share: how they fail, what they say of a child, calls that are made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiida.common import AttributeDict
from aiida.common.links import LinkType
from aiida.engine import BaseRestartWorkChain, ExitCode, ProcessSpec, WorkChain
from aiida.orm import CalcJobNode, Data, ProcessNode

from aiida_crucible.calculations import validation
from aiida_crucible.calculations.ports import WorkflowSpec
from aiida_crucible.monitoring.foreground import EndsItsJobs
from aiida_crucible.monitoring.words import title_of


class CrucibleWorkChain(EndsItsJobs, WorkChain):
    """A WorkChain that checks its inputs against each other, and fails in the words of the child that failed."""

    _spec_class = WorkflowSpec

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare the check of the inputs."""
        super().define(spec)
        spec.inputs.validator = validation.validator(cls.check_inputs)

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check inputs against each other.

        :raises ValueError: one line for the user.
        """

    def failure(self, label: str, detail: str) -> ExitCode:
        """Return an exit code with its message complete.

        :param label: of the exit code.
        """
        code: ExitCode = self.exit_codes[label].format(detail=detail)
        return code

    def submit_restarting(
        self, chain: Any, namespace: str, call: str | None = None, cores: int | None = None, **inputs: Any
    ) -> ProcessNode:
        """Run a CalcJob, with restarts, with the model and the environment of this WorkChain.

        :param chain: the restart WorkChain.
        :param namespace: of the inputs that say how.
        :param call: name of the call.
        :param cores: of the job, where they are ours to choose.
        :param inputs: of the CalcJob, what it computes on among them.
        """
        exposed = AttributeDict(self.exposed_inputs(chain, namespace))
        shared = {name: self.inputs[name] for name in ("code", "model") if name in self.inputs}
        exposed[chain.NAMESPACE].update(**shared, **inputs)
        give_cores(exposed[chain.NAMESPACE], cores)
        if call is not None:
            exposed.metadata.call_link_label = call
        return self.submit(chain, **exposed)


def give_cores(job: AttributeDict, cores: int | None) -> None:
    """Set the cores of a job where they are ours to choose.

    :param job: its inputs.
    """
    if cores is not None:
        options = job.metadata.options
        options.resources = {**options.resources, "num_cores_per_mpiproc": cores}


def call_once(
    chain: WorkChain, name: str, function: Callable[..., dict[str, Data]], *arguments: Data, **nodes: Data
) -> dict[str, Data]:
    """Return what a calcfunction makes, or what it has made.

    A worker that is killed in a step begins the step again: what was finished before is found by the name of its call.

    :param chain: the WorkChain that calls.
    :param name: of this call in this WorkChain.
    :param function: a calcfunction with several outputs.
    """
    calls: Any = chain.node.base.links.get_outgoing(link_type=LinkType.CALL_CALC, link_label_filter=name)
    for call in calls.all():
        # The filter takes an underscore for any character.
        if call.link_label == name and call.node.is_finished_ok:
            made: dict[str, Data] = call.node.base.links.get_outgoing(link_type=LinkType.CREATE).nested()
            return dict(made)
    return function(*arguments, **nodes, metadata={"call_link_label": name})


DISK_FULL = ("No space left on device", "disk is full", "Disk quota exceeded")
"""What the operating system and SQLite say."""


def said_of(process: ProcessNode) -> str:
    """Return why a process ended, in its own words."""
    if process.exit_message:
        return str(process.exit_message)
    exception = process.exception or ""
    lines = exception.strip().splitlines()
    if any(words in exception for words in DISK_FULL):
        return f"the disk of AiiDA's own profile is full ({lines[-1]}): free some space there, and run it again"
    return lines[-1] if lines else f"it ended with {process.process_state.value} and exit status {process.exit_status}"


def message_of(child: ProcessNode) -> str:
    """Return why a child failed, in its own words."""
    said = said_of(child)
    jobs = [job for job in child.called if isinstance(job, CalcJobNode)] if _gave_up(child) else []
    if jobs:
        said = f"{said} The last job said: {message_of(max(jobs, key=lambda job: job.pk))}"
    return f"{title_of(child)}: {said}"


def _gave_up(child: ProcessNode) -> bool:
    """Return whether a child ran a job as often as it may: the job's own message tells why."""
    return bool(child.exit_status == BaseRestartWorkChain.spec().exit_codes.ERROR_MAXIMUM_ITERATIONS_EXCEEDED.status)


def halves(labels: Sequence[str]) -> list[list[str]]:
    """Return what failed together in the two parts in which it is tried again."""
    middle = (len(labels) + 1) // 2
    return [list(labels[:middle]), list(labels[middle:])]

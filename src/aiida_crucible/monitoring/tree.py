"""A process and all that it has called, read from the database level by level."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiida.common.links import LinkType
from aiida.orm import CalcJobNode, ProcessNode, QueryBuilder, WorkflowNode

PROCESS_TYPES = "aiida.calculations:crucible."
"""Beginning of the process type of every job of the engine."""

CALLS = (LinkType.CALL_WORK.value, LinkType.CALL_CALC.value)
COLUMNS = ("*", "id", "process_type", "label", "ctime", "mtime", "attributes", "extras")


@dataclass(frozen=True)
class Snapshot:
    """A process as the database had it at one moment: each attribute of a node itself would ask it again.

    :param node: the process.
    :param pk: its number.
    :param process_type: with its entry point.
    :param label: of the node.
    :param ctime: when it was made.
    :param mtime: when it was changed last.
    :param attributes: of the node.
    :param extras: of the node.
    """

    node: ProcessNode
    pk: int
    process_type: str | None
    label: str
    ctime: datetime
    mtime: datetime
    attributes: Mapping[str, Any]
    extras: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """The name of its entry point."""
        return str(self.process_type or "").rpartition(":")[2]

    @property
    def state(self) -> str:
        """AiiDA's word for it."""
        return str(self.attributes.get(ProcessNode.PROCESS_STATE_KEY))

    @property
    def is_terminated(self) -> bool:
        """Whether it has ended in any way."""
        return self.state in ("finished", "excepted", "killed")

    @property
    def exit_status(self) -> int | None:
        """Of what has finished."""
        return self.attributes.get(ProcessNode.EXIT_STATUS_KEY) if self.state == "finished" else None

    @property
    def exit_message(self) -> str:
        """Of what has finished; empty where there is none."""
        return str(self.attributes.get(ProcessNode.EXIT_MESSAGE_KEY) or "")

    @property
    def is_paused(self) -> bool:
        """Whether it stands still and may go on."""
        return not self.is_terminated and bool(self.attributes.get(ProcessNode.PROCESS_PAUSED_KEY))

    @property
    def is_job(self) -> bool:
        """Whether it is a job on a computer."""
        return isinstance(self.node, CalcJobNode)

    @property
    def title(self) -> str:
        """What messages call it."""
        name = self.attributes.get(ProcessNode.PROCESS_LABEL_KEY) or type(self.node).__name__
        return f"{name}<{self.pk}>"


class Tree:
    """A process with all that it has called until now.

    :param root: the process.
    """

    def __init__(self, root: ProcessNode) -> None:
        (self.root,) = snapshots([root.pk])
        self.processes = [self.root]
        """The root, then what it called, a level after the other, the oldest of a level first."""
        self._callers: dict[int, int] = {}
        level = [root.pk]
        while level:
            query = QueryBuilder().append(WorkflowNode, filters={"id": {"in": level}}, tag="caller", project="id")
            query.append(ProcessNode, with_incoming="caller", edge_filters={"type": {"in": CALLS}}, project=COLUMNS)
            found = sorted(((caller, Snapshot(*rest)) for caller, *rest in query.all()), key=lambda pair: pair[1].pk)
            self._callers |= {process.pk: caller for caller, process in found}
            self.processes += [process for _, process in found]
            level = [process.pk for _, process in found if not process.is_job]
        self._by_pk = {process.pk: process for process in self.processes}

    def caller(self, process: Snapshot) -> Snapshot | None:
        """Return what called a process of this tree; ``None`` for the root."""
        return self._by_pk.get(self._callers.get(process.pk, -1))

    def called(self, process: Snapshot) -> list[Snapshot]:
        """Return what a process of this tree has called itself."""
        return [each for each in self.processes if self._callers.get(each.pk) == process.pk]

    def jobs(self) -> list[Snapshot]:
        """Return the jobs of the engine, the oldest first."""
        jobs = [each for each in self.processes if str(each.process_type or "").startswith(PROCESS_TYPES)]
        return sorted((job for job in jobs if job.is_job), key=lambda job: (job.ctime, job.pk))

    def current_jobs(self) -> list[Snapshot]:
        """Return those that go on, and the newest of each WorkChain: what it has continued is told by that one."""
        jobs = self.jobs()
        newest = {self._callers.get(job.pk, job.pk): job for job in jobs}
        shown = {job.pk for job in newest.values()}
        return [job for job in jobs if job.pk in shown or not job.is_terminated]


def snapshots(pks: Sequence[int]) -> list[Snapshot]:
    """Return processes as they are now, in the order of their PKs."""
    if not pks:
        return []
    query = QueryBuilder().append(ProcessNode, filters={"id": {"in": list(pks)}}, project=COLUMNS)
    return sorted((Snapshot(*row) for row in query.all()), key=lambda each: each.pk)


def newest_of_each_kind(processes: Iterable[Snapshot]) -> dict[str, Snapshot]:
    """Return the newest process of each kind."""
    return {each.kind: each for each in processes}

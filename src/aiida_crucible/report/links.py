"""Links of many processes at once: a question to the database for each process would take longer than the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from aiida.common.links import LinkType
from aiida.orm import Data, ProcessNode, QueryBuilder

INPUTS = (LinkType.INPUT_CALC, LinkType.INPUT_WORK)
OUTPUTS = (LinkType.CREATE, LinkType.RETURN)
CALLS = (LinkType.CALL_CALC, LinkType.CALL_WORK)


class Link(NamedTuple):
    """Data that go into a process or come out of it.

    :param label: of the link, namespaces apart by two underscores.
    """

    process: ProcessNode
    data: Data
    label: str

    @property
    def name(self) -> str:
        """The label without its namespaces."""
        return self.label.rpartition("__")[2]


def called(process: ProcessNode) -> list[ProcessNode]:
    """Return all processes below one, in the order of their creation."""
    found: dict[int, ProcessNode] = {}
    level = [process.pk]
    while level:
        query = QueryBuilder().append(ProcessNode, filters={"id": {"in": level}}, tag="caller")
        query.append(ProcessNode, with_incoming="caller", edge_filters=_of(CALLS), project="*")
        fresh = {node.pk: node for (node,) in query.all() if node.pk not in found}
        found |= fresh
        level = list(fresh)
    return sorted(found.values(), key=lambda node: (node.ctime, node.uuid))


def inputs_of(processes: Sequence[ProcessNode]) -> list[Link]:
    """Return what goes into processes, by process and label."""
    query = QueryBuilder().append(Data, project="*", tag="data")
    query.append(ProcessNode, with_incoming="data", filters=_among(processes), edge_filters=_of(INPUTS), project="id",
                 edge_project="label")  # fmt: skip
    return _sorted(processes, query.all())


def outputs_of(processes: Sequence[ProcessNode]) -> list[Link]:
    """Return what comes out of processes, by process and label."""
    query = QueryBuilder().append(Data, project="*", tag="data")
    query.append(ProcessNode, with_outgoing="data", filters=_among(processes), edge_filters=_of(OUTPUTS), project="id",
                 edge_project="label")  # fmt: skip
    return _sorted(processes, query.all())


def _sorted(processes: Sequence[ProcessNode], rows: Sequence[tuple[Data, int, str]]) -> list[Link]:
    place = {node.pk: number for number, node in enumerate(processes)}
    ordered = sorted(rows, key=lambda row: (place[row[1]], row[2]))
    return [Link(processes[place[pk]], data, label) for data, pk, label in ordered]


def _among(processes: Sequence[ProcessNode]) -> dict[str, object]:
    return {"id": {"in": [node.pk for node in processes]}}


def _of(kinds: Sequence[LinkType]) -> dict[str, object]:
    return {"type": {"in": [kind.value for kind in kinds]}}

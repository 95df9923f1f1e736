"""Links of many processes at once: a question to the database for each process would take longer than the page."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from aiida.common.links import LinkType
from aiida.orm import Data, Node, ProcessNode, QueryBuilder

INPUTS = (LinkType.INPUT_CALC, LinkType.INPUT_WORK)
OUTPUTS = (LinkType.CREATE, LinkType.RETURN)
FACTS = ("id", "uuid", "node_type", "label", "description", "ctime", "attributes.process_label")
NOBODY = -1
"""The PK of no node: a query among none is an error in AiiDA."""
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


@dataclass(frozen=True)
class NodeFacts:
    """What a drawing or a table says of a node, without the node, each of whose words is a question to the database.

    :param kind: process label, or type of data.
    """

    pk: int
    uuid: str
    is_data: bool
    kind: str
    label: str
    description: str
    ctime: datetime

    @property
    def short(self) -> str:
        """The part of the UUID by which ``verdi node show`` finds a node."""
        return self.uuid[:8]


def called(process: ProcessNode) -> list[ProcessNode]:
    """Return all processes below one, in the order of their creation."""
    found: dict[int, list[Any]] = {}
    level = [process.pk]
    while level:
        query = QueryBuilder().append(ProcessNode, filters={"id": {"in": level}}, tag="caller")
        query.append(ProcessNode, with_incoming="caller", edge_filters=_of(CALLS), project=["id", "ctime", "uuid", "*"])
        fresh = {row[0]: row for row in query.all() if row[0] not in found}
        found |= fresh
        level = list(fresh)
    return [node for *_, node in sorted(found.values(), key=lambda row: (row[1], row[2]))]


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


def facts_of(pks: Collection[int]) -> list[NodeFacts]:
    """Return what is said of nodes, in no order."""
    query = QueryBuilder().append(Node, filters={"id": {"in": [*pks, NOBODY]}}, project=list(FACTS))
    return [_facts(row) for row in query.all()]


def facts_of_inputs(pks: Collection[int]) -> list[tuple[NodeFacts, int, str]]:
    """Return what goes into processes: data, PK of the process, label of the link; in no order."""
    return _facts_beside(pks, "with_incoming", INPUTS)


def facts_of_outputs(pks: Collection[int]) -> list[tuple[NodeFacts, int, str]]:
    """Return what comes out of processes: data, PK of the process, label of the link; in no order."""
    return _facts_beside(pks, "with_outgoing", OUTPUTS)


def _facts_beside(pks: Collection[int], relation: str, kinds: Sequence[LinkType]) -> list[tuple[NodeFacts, int, str]]:
    query = QueryBuilder().append(Data, project=list(FACTS), tag="data")
    among = {"id": {"in": [*pks, NOBODY]}}
    query.append(
        ProcessNode, filters=among, edge_filters=_of(kinds), project="id", edge_project="label", **{relation: "data"}
    )
    return [(_facts(facts), pk, label) for *facts, pk, label in query.all()]


def _facts(row: Sequence[Any]) -> NodeFacts:
    """Return what :data:`FACTS` of a node are."""
    pk, uuid, node_type, label, description, ctime, process_label = row
    kind = process_label or node_type.split(".")[-2]
    return NodeFacts(pk, str(uuid), node_type.startswith("data."), kind, label or "", description or "", ctime)


def _sorted(processes: Sequence[ProcessNode], rows: Sequence[tuple[Data, int, str]]) -> list[Link]:
    place = {node.pk: number for number, node in enumerate(processes)}
    ordered = sorted(rows, key=lambda row: (place[row[1]], row[2]))
    return [Link(processes[place[pk]], data, label) for data, pk, label in ordered]


def _among(processes: Sequence[ProcessNode]) -> dict[str, object]:
    return {"id": {"in": [*(node.pk for node in processes), NOBODY]}}


def _of(kinds: Sequence[LinkType]) -> dict[str, object]:
    return {"type": {"in": [kind.value for kind in kinds]}}

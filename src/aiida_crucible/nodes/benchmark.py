"""What the provenance graph knows of a benchmark: its rows, also while it runs, and what runs."""

from __future__ import annotations

from typing import Any

from aiida.common.links import LinkType
from aiida.orm import CalcJobNode, Dict, ProcessNode, QueryBuilder, WorkflowNode

from aiida_crucible.analysis.anharmonicity.combinations import REFERENCE

ROWS = "rows"
"""Namespace of the rows among a process's outputs."""

BENCHMARKS = "aiida.workflows:crucible.benchmark"
"""What the types of a benchmark's own WorkChains begin with."""

ENDED = ("finished", "excepted", "killed")


def rows_of(node: ProcessNode) -> list[dict[str, Any]]:
    """Return the rows of a benchmark; those that its batches have so far, where it has not attached them itself.

    Of several rows of the same material, model and protocol the newest counts.

    :param node: a WorkChain with outputs ``rows``, or one that calls such WorkChains.
    """
    workflows = [node.pk] if isinstance(node, WorkflowNode) else []
    own = _rows_among(workflows)
    if own and node.is_finished:
        return own
    found = _rows_among(called_workflows(node))
    # Batches that make the reference have rows too, of the reference against itself.
    return [row for row in found if (row.get("model"), row.get("protocol")) != (REFERENCE, REFERENCE)]


def may_have_rows(node: WorkflowNode) -> bool:
    """Return whether a WorkChain, or one that it has called so far, is a benchmark or a part of one."""
    query = QueryBuilder().append(WorkflowNode, filters={"id": {"in": called_workflows(node)}}, project="process_type")
    return any(str(kind).startswith(BENCHMARKS) for kind in query.all(flat=True))


def called_workflows(node: ProcessNode) -> list[int]:
    """Return the PKs of a WorkChain and of all that it calls, level by level: jobs, which are many, are not loaded."""
    found = level = [node.pk]
    while level:
        query = QueryBuilder().append(WorkflowNode, filters={"id": {"in": level}}, tag="caller")
        query.append(
            WorkflowNode, with_incoming="caller", edge_filters={"type": LinkType.CALL_WORK.value}, project="id"
        )
        level = query.all(flat=True)
        found = [*found, *level]
    return found


def jobs_that_run(node: ProcessNode) -> list[CalcJobNode]:
    """Return the jobs of a benchmark that have not ended, the oldest first."""
    query = QueryBuilder().append(WorkflowNode, filters={"id": {"in": called_workflows(node)}}, tag="caller")
    query.append(
        CalcJobNode,
        with_incoming="caller",
        edge_filters={"type": LinkType.CALL_CALC.value},
        filters={"attributes.process_state": {"!in": ENDED}},
    )
    jobs: list[CalcJobNode] = query.all(flat=True)
    return sorted(jobs, key=lambda job: job.pk)


def _rows_among(workflows: list[int]) -> list[dict[str, Any]]:
    """Return the rows that WorkChains have as outputs."""
    if not workflows:
        return []
    query = QueryBuilder().append(WorkflowNode, filters={"id": {"in": workflows}}, tag="workflow")
    query.append(
        Dict,
        with_incoming="workflow",
        edge_filters={"type": LinkType.RETURN.value},
        edge_project="label",
        project=("id", "attributes"),
    )
    rows = {pk: values for pk, values, label in query.all() if label.startswith(f"{ROWS}__")}
    newest = {}
    for _, row in sorted(rows.items()):
        newest[row.get("material"), row.get("model"), row.get("protocol")] = row
    return list(newest.values())


def count_expected(node: WorkflowNode) -> int | None:
    """Return how many rows a benchmark will have; ``None`` for another kind of WorkChain."""
    labels = node.base.links.get_incoming(link_type=LinkType.INPUT_WORK).all_link_labels()
    counts = [sum(label.startswith(f"{name}__") for label in labels) for name in ("structures", "models")]
    if "protocols" not in labels or 0 in counts:
        return None
    return int(counts[0] * counts[1] * len(node.inputs.protocols.get_dict()))

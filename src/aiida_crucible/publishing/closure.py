"""Which processes are published, and all nodes that travel with them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from aiida.orm import AbstractCode, CalcJobNode, Computer, Dict, Node, ProcessNode, QueryBuilder, User

from aiida_crucible.compat.aiida_archive import nodes_of_archive
from aiida_crucible.monitoring.words import title_of
from aiida_crucible.nodes.model import ModelData

OWN = ("aiida.calculations:crucible.", "aiida.workflows:crucible.")
"""How the types of processes of this package begin."""

AnyNode = TypeVar("AnyNode", bound=Node)
MOST_IN_A_QUERY = 500


@dataclass(frozen=True)
class Closure:
    """Processes with all nodes that they come from and have made.

    :param processes: those that were asked for.
    :param pks: of all nodes.
    """

    processes: tuple[ProcessNode, ...]
    pks: frozenset[int]

    def nodes(self, kind: type[AnyNode]) -> Iterator[AnyNode]:
        """Yield the nodes of a class, by their PKs."""
        ordered = sorted(self.pks)
        for start in range(0, len(ordered), MOST_IN_A_QUERY):
            some = ordered[start : start + MOST_IN_A_QUERY]
            query = QueryBuilder().append(kind, filters={"id": {"in": some}}, tag="node")
            found = query.order_by({"node": {"id": "asc"}}).all(flat=True)
            yield from (node for node in found if isinstance(node, kind))  # of an abstract class it finds all

    @property
    def codes(self) -> list[AbstractCode]:
        """The environments that ran."""
        return list(self.nodes(AbstractCode))

    @property
    def models(self) -> list[ModelData]:
        """The potentials."""
        return list(self.nodes(ModelData))

    @property
    def jobs(self) -> list[CalcJobNode]:
        """The jobs of the engine."""
        return [job for job in self.nodes(CalcJobNode) if is_own(job)]

    @property
    def computers(self) -> list[Computer]:
        """The computers of jobs and codes."""
        found = {node.computer.pk: node.computer for node in self.nodes(Node) if node.computer is not None}
        return [found[pk] for pk in sorted(found)]

    @property
    def users(self) -> list[User]:
        """The AiiDA users whose nodes these are."""
        found = {node.user.pk: node.user for node in self.nodes(Node)}
        return [found[pk] for pk in sorted(found)]

    def failures(self) -> list[str]:
        """Return one line for each process asked for that did not end well."""
        return [f"{title_of(node)} {_how(node)}" for node in self.processes if not node.is_finished_ok]


def is_own(node: ProcessNode) -> bool:
    """Return whether a process is one of this package."""
    return (node.process_type or "").startswith(OWN)


def collect(processes: Sequence[ProcessNode]) -> Closure:
    """Return processes with all that travels with them.

    :raises ValueError: one line, if one still runs, or has nothing to do with this package.
    """
    unique = {node.pk: node for node in processes}
    for node in unique.values():
        if not node.is_terminated:
            raise ValueError(
                f"{title_of(node)} still runs ({node.process_state.value if node.process_state else 'created'}): wait "
                f"for its end (`aiida-crucible status {node.pk}`), or `verdi process kill {node.pk}`"
            )
        if not is_own(node) and not any(is_own(each) for each in node.called_descendants):
            raise ValueError(
                f"{title_of(node)} is of another plugin, and has called nothing of aiida-crucible: give the PK of one "
                "of its processes (`verdi process list -a` shows them)"
            )
    closure = Closure(tuple(unique.values()), nodes_of_archive(list(unique)))
    _refuse_unsealed(closure.nodes(ProcessNode))
    return closure


def _refuse_unsealed(processes: Iterator[ProcessNode]) -> None:
    for node in processes:
        if not node.is_sealed:
            raise ValueError(f"{title_of(node)}, which an input comes from, still runs: wait for its end")


def _how(node: ProcessNode) -> str:
    """Return how a process ended that did not end well."""
    if node.is_finished:
        return f"failed (exit status {node.exit_status}: {node.exit_message or 'no message'})"
    return f"was {node.process_state.value}" if node.process_state else "was never started"


def results_by_code(jobs: Collection[CalcJobNode]) -> dict[str, list[Dict]]:
    """Return the `results` of jobs by the UUID of the code that ran them."""
    found: dict[str, list[Dict]] = {}
    for job in jobs:
        if "results" in job.outputs and "code" in job.inputs:
            found.setdefault(job.inputs.code.uuid, []).append(job.outputs.results)
    return found

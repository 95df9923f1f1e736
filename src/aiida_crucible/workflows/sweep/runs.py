"""What a job of a temperature sweep left of each of its temperatures."""

from __future__ import annotations

from aiida.common.links import LinkType
from aiida.orm import CalcJobNode, Data, ProcessNode, TrajectoryData

from aiida_crucible.calculations.dynamics.calculation import DynamicsCalculation


def is_done(child: ProcessNode, replica: str) -> bool:
    """Return whether a run came to its end, whatever became of its job afterwards."""
    if "results" not in child.outputs:
        return False
    replicas = child.outputs.results.get_dict()["summary"].get("replicas", {})
    return "averages" in replicas.get(replica, {})


def count_left_over(child: ProcessNode, n_temperatures: int) -> int:
    """Return how many temperatures a job did not come to because the one before them failed.

    A job that failed before it began with any would fail again: none is left over.
    """
    if child.is_finished_ok or "results" not in child.outputs:
        return 0
    summary = child.outputs.results.get_dict()["summary"]
    checkpoint = summary.get("checkpoint")
    # Of a job that was killed only the checkpoint tells at which temperature.
    n_begun = max(len(summary.get("replicas", {})), 0 if checkpoint is None else checkpoint["replica"] + 1)
    return max(0, n_temperatures - n_begun) if n_begun else 0


def outputs_of(child: ProcessNode, replica: str) -> dict[str, Data]:
    """Return what a job attached of one run, by the names that the sweep gives it."""
    names = {"trajectory": "trajectories", "series": "series", "averages": "averages", "final": "final"}
    return {
        name: child.outputs[namespace][replica]
        for name, namespace in names.items()
        if namespace in child.outputs and replica in child.outputs[namespace]
    }


def outcome_of(trajectory: TrajectoryData) -> dict[str, str] | None:
    """Return ``outcome`` and ``reason`` of the run that a trajectory is of; ``None`` if no job here has made it."""
    creator = trajectory.creator
    if not isinstance(creator, CalcJobNode) or creator.process_class is not DynamicsCalculation:
        return None
    if "results" not in creator.outputs:
        return None
    link = trajectory.base.links.get_incoming(link_type=LinkType.CREATE).one().link_label
    summary = creator.outputs.results["summary"]["replicas"][link.rpartition("__")[2]]
    return {"outcome": summary["outcome"], "reason": summary["evidence"]["reason"]}

"""What the inputs of a temperature sweep have to be, what follows for its jobs, and what these left of each run.

Checks raise ``ValueError`` with one line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida.common.links import LinkType
from aiida.orm import ArrayData, Data, Dict, ProcessNode, TrajectoryData

from aiida_crucible.analysis.crystal.mapping import find_sites
from aiida_crucible.analysis.dynamics.order_parameters import displacement_pattern
from aiida_crucible.analysis.dynamics.polarization import neutral_charges
from aiida_crucible.analysis.dynamics.sweep_settings import (
    SweepJob,
    strained_unit_cell,
    sweep_supercell,
    validate_sweep,
)
from aiida_crucible.analysis.phonons.born_charges import require_neutral
from aiida_crucible.calculations.dynamics.calculation import DynamicsCalculation
from aiida_crucible.calculations.dynamics.structures import check_melchionna
from aiida_crucible.calculations.ports import crystal_check
from aiida_crucible.calculations.validation import naming
from aiida_crucible.nodes.structures import to_atoms
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.rules import shown, suggestion

check_sweep_crystal = crystal_check("a temperature sweep")
SWEEP_PARAMETERS = ("temperatures", "start", "first_replica", "final_temperature")
"""Parameters of the dynamics that a sweep sets itself."""


def check_charges_array(node: ArrayData) -> None:
    """Refuse arrays without Born charges."""
    if "charges" not in node.get_arraynames():
        names = ", ".join(node.get_arraynames()) or "none"
        raise ValueError(f"born_charges has the arrays {names}: give `charges` [n_atoms, 3, 3]")


def check_dynamics_parameters(parameters: Dict) -> None:
    """Refuse parameters of the dynamics that the sweep sets itself."""
    for name, value in changed(validate_parameters("dynamics", parameters.get_dict()), SWEEP_PARAMETERS).items():
        where = "parameters.temperatures" if name == "temperatures" else "parameters.mode"
        raise ValueError(
            f"base.dynamics.parameters sets {name} to {shown(value)}, which a sweep sets itself: use {where}"
        )


def changed(parameters: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return those of some parameters of the dynamics that are not as they are by default.

    :param parameters: complete.
    """
    defaults = validate_parameters("dynamics", {})
    return {name: parameters[name] for name in names if parameters[name] != defaults[name]}


def check_crystal_inputs(inputs: Mapping[str, Any]) -> None:
    """Check the supercell, the reference structure and the Born charges against the structure.

    :param inputs: with ``structure``, ``parameters`` and those of the dynamics.
    """
    settings = validate_sweep(inputs["parameters"].get_dict())
    atoms = to_atoms(inputs["structure"])
    supercell = sweep_supercell(settings, atoms)
    find_sites(supercell, strained_unit_cell(settings, atoms))
    check_melchionna(supercell, validate_parameters("dynamics", inputs["base"]["dynamics"]["parameters"].get_dict()))
    if "reference_structure" in inputs:
        with naming("reference_structure does not fit to the structure"):
            displacement_pattern(to_atoms(inputs["reference_structure"]), atoms)
    if "born_charges" in inputs:
        if "reference_structure" not in inputs:
            raise ValueError("born_charges need a reference_structure, from which displacements are counted: give it")
        charges = inputs["born_charges"].get_array("charges")
        neutral_charges(charges)
        require_neutral(charges)
        if len(charges) != len(atoms):
            raise ValueError(f"born_charges are of {len(charges)} atoms, but the structure has {len(atoms)}")
    centre = settings["local_centre"]
    if centre is not None and centre not in atoms.symbols:
        raise ValueError(f"local_centre is {centre!r}: {suggestion(centre, sorted(set(atoms.symbols)))}")


def parameters_of_job(parameters: Mapping[str, Any], job: SweepJob, is_chain: bool) -> dict[str, Any]:
    """Return the parameters of one job's dynamics, complete: how a sweep is packed into jobs changes no number.

    :param parameters: what all jobs share.
    :param is_chain: whether each temperature begins where the one before ended.
    """
    own = {
        "temperatures": list(job.temperatures),
        "first_replica": job.first,
        "start": "sequential" if is_chain else "independent",
    }
    return validate_parameters("dynamics", {**parameters, **own})


def is_done(child: ProcessNode, replica: str) -> bool:
    """Return whether a run came to its end, whatever became of its job afterwards."""
    if "results" not in child.outputs:
        return False
    replicas = child.outputs.results.get_dict()["summary"].get("replicas", {})
    return "averages" in replicas.get(replica, {})


def count_postponed(child: ProcessNode, n_temperatures: int) -> int:
    """Return how many temperatures a job did not come to because the one before them failed.

    A job that failed before it began with any would fail again: none is postponed.
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
    # Not by its class: a job of somebody's plugin that is not installed here has none.
    if creator is None or creator.process_type != DynamicsCalculation.build_process_type():
        return None
    if "results" not in creator.outputs:
        return None
    link = trajectory.base.links.get_incoming(link_type=LinkType.CREATE).one().link_label
    return outcome_and_reason(creator.outputs.results["summary"]["replicas"][link.rpartition("__")[2]])


TOLD = {"a": "Å", "c_over_a": "", "volume": "Å³/f.u."}
"""Averages that a report tells of a run, with their units."""


def describe_run(label: str, analysis: Mapping[str, Any]) -> str:
    """Return one line on what a run did: outcome, and lattice with standard errors.

    :param analysis: of one temperature, see ``crucible.sweep``, output ``runs``.
    """
    averages = analysis.get("averages") or {}
    told = [
        f"{name.replace('_over_', '/')} {averages[name]['mean']:.4g} ± {averages[name]['standard_error']:.1g} {unit}"
        for name, unit in TOLD.items()
        if name in averages and averages[name].get("standard_error") is not None
    ]
    return f"{label} done: {', '.join([str(analysis['outcome']), *(each.strip() for each in told)])}"


def outcome_and_reason(summary: Mapping[str, Any]) -> dict[str, str]:
    """Return what became of a run.

    :param summary: of its replica.
    """
    return {"outcome": summary["outcome"], "reason": summary["evidence"]["reason"]}

"""What the inputs of an anharmonicity measurement have to be, and what follows from them for its jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.orm import ArrayData, Dict, TrajectoryData

from aiida_crucible.analysis.anharmonicity.own_runs import why_no_score
from aiida_crucible.analysis.anharmonicity.settings import own_supercell, validate_anharmonicity
from aiida_crucible.analysis.crystal.mapping import map_crystal
from aiida_crucible.analysis.phonons.stored_phonons import STORED_ARRAYS
from aiida_crucible.calculations import validation
from aiida_crucible.calculations.ports import check_each, crystal_check
from aiida_crucible.nodes.force_data import crystal_of, force_constants_of, require_forces
from aiida_crucible.nodes.structures import to_atoms
from aiida_crucible.workflows.sweep.inputs import outcome_of
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.rules import shown

check_anharmonic_crystal = crystal_check("a measurement of anharmonicity")
OWN_PARAMETERS = ("temperatures", "start", "first_replica", "final_temperature", "frame_forces")
"""Parameters of the dynamics that the WorkChain sets itself."""


def check_constants_arrays(node: ArrayData | None) -> None:
    """Refuse arrays of other names than force constants have.

    :raises ValueError: one line.
    """
    if node is not None and not set(STORED_ARRAYS) <= set(node.get_arraynames()):
        names = ", ".join(sorted(node.get_arraynames())) or "none"
        raise ValueError(f"force_constants has the arrays {names}: give {', '.join(STORED_ARRAYS)}")


def check_frames(trajectory: TrajectoryData | None) -> None:
    """Refuse frames that no potential can mean, or that have no forces.

    :raises ValueError: one line.
    """
    if trajectory is not None:
        validation.check_trajectory(trajectory)
        require_forces(trajectory)


def check_reference_frames(trajectory: TrajectoryData | None) -> None:
    """Refuse frames as :func:`check_frames` does, and those of a run here that has lost its crystal.

    :raises ValueError: one line.
    """
    check_frames(trajectory)
    if trajectory is not None:
        require_kept_crystal(trajectory)


def require_kept_crystal(trajectory: TrajectoryData) -> None:
    """Refuse the frames of a run, made here, that has lost its crystal.

    :raises ValueError: one line.
    """
    outcome = outcome_of(trajectory)
    lost = None if outcome is None else why_no_score({"the run": outcome}, None)
    if lost is not None:
        raise ValueError(f"the frames cannot be a reference, {lost}: give those of a crystal")


def check_own_trajectories(trajectories: Mapping[str, TrajectoryData] | None) -> None:
    """Refuse frames as :func:`check_frames` does, with the name of their trajectory.

    :raises ValueError: one line.
    """
    check_each(check_frames, trajectories, "trajectories.")


def check_combination_inputs(inputs: Mapping[str, Any]) -> None:
    """Check that there is something to measure, and that frames and force constants are of the same crystal.

    :raises ValueError: one line.
    """
    reference = inputs.get("reference") or {}
    if "force_constants" in reference and "structure" not in reference:
        raise ValueError(
            "reference.force_constants need reference.structure, the unit cell that they belong to: give it"
        )
    if not any(name in place for place in (inputs, reference) for name in ("force_constants", "phonon")):
        raise ValueError("there are no force constants: give force_constants, reference.force_constants or phonon")
    own = inputs.get("trajectories") or {}
    if "trajectory" not in reference and not own and not inputs.get("base"):
        raise ValueError("there are no frames: give reference.trajectory, trajectories or base")
    frames = {f"trajectories.{label}": node for label, node in own.items()}
    frames |= {"reference.trajectory": reference["trajectory"]} if "trajectory" in reference else {}
    _check_fit(inputs, reference, frames)
    if inputs.get("base"):
        check_dynamics(inputs["base"]["dynamics"]["parameters"])
        if "trajectory" not in reference and "structure" in inputs and "parameters" in inputs:
            own_supercell(validate_anharmonicity(inputs["parameters"].get_dict()), to_atoms(inputs["structure"]))


def check_dynamics(parameters: Dict) -> None:
    """Refuse parameters of the dynamics that the WorkChain sets itself, or that keep no frames.

    :raises ValueError: one line.
    """
    values, defaults = validate_parameters("dynamics", parameters.get_dict()), validate_parameters("dynamics", {})
    for name in OWN_PARAMETERS:
        if values[name] != defaults[name]:
            instead = "use parameters.temperatures" if name == "temperatures" else "leave it out"
            raise ValueError(
                f"base.dynamics.parameters sets {name} to {shown(values[name])}, which the WorkChain does: {instead}"
            )
    if not values["frame_interval"] or not values["retrieved_frames"]:
        raise ValueError(
            "base.dynamics.parameters keep no frames: give frame_interval and retrieved_frames of at least 1"
        )


def dynamics_of_run(parameters: Mapping[str, Any], settings: Mapping[str, Any], index: int) -> dict[str, Any]:
    """Return the complete parameters of one own run's dynamics: all temperatures, with random numbers of its own.

    :param parameters: what all runs share.
    :param settings: complete.
    :param index: number of the run.
    """
    temperatures = settings["temperatures"]
    own = {
        "temperatures": temperatures,
        "first_replica": index * len(temperatures),
        "start": "independent",
        "frame_forces": True,
    }
    return validate_parameters("dynamics", {**parameters, **own})


def _check_fit(inputs: Mapping[str, Any], reference: Mapping[str, Any], frames: Mapping[str, TrajectoryData]) -> None:
    """Refuse force constants that are of another crystal than the frames; atoms may come in any order.

    :raises ValueError: one line that names the two.
    """
    crystals = {}
    for name, place in (("", inputs), ("reference.", reference)):
        if "structure" not in place:
            continue
        crystals[f"{name}structure"] = to_atoms(place["structure"])
        if "force_constants" in place:
            try:
                force_constants_of(place["structure"], place["force_constants"])
            except ValueError as error:
                raise ValueError(f"{name}force_constants and {name}structure: {error}") from None
    for label, trajectory in frames.items():
        try:
            supercell = crystal_of(trajectory)
        except ValueError as error:
            raise ValueError(f"{label}: {error}") from None
        for name, crystal in crystals.items():
            try:
                map_crystal(supercell, crystal)
            except ValueError as error:
                raise ValueError(f"{label} does not fit to {name}: {error}") from None

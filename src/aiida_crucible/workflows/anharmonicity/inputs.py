"""The inputs and outputs of an anharmonicity measurement, and what follows from them for its jobs.

Checks raise ``ValueError`` with one line.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from aiida.engine import ProcessSpec
from aiida.orm import ArrayData, Dict, StructureData, TrajectoryData

from aiida_crucible.analysis.anharmonicity.combinations import why_no_score
from aiida_crucible.analysis.anharmonicity.settings import own_supercell, validate_anharmonicity
from aiida_crucible.analysis.crystal.mapping import map_crystal
from aiida_crucible.analysis.phonons.lattice_force_constants import STORED_ARRAYS
from aiida_crucible.calculations import validation
from aiida_crucible.calculations.ports import check_each, crystal_check, settings_help, settings_input
from aiida_crucible.nodes.force_data import crystal_of, force_constants_of, require_forces
from aiida_crucible.nodes.structures import to_atoms
from aiida_crucible.workflows.dynamics.base import DynamicsBaseWorkChain
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain
from aiida_crucible.workflows.phonon.workchain import PhononWorkChain
from aiida_crucible.workflows.sweep.inputs import changed, outcome_of
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.rules import shown

check_anharmonic_crystal = crystal_check("a measurement of anharmonicity")
OWN_PARAMETERS = ("temperatures", "start", "first_replica", "final_temperature", "frame_forces")
"""Parameters of the dynamics that the WorkChain sets itself."""


def check_constants_arrays(node: ArrayData) -> None:
    """Refuse arrays of other names than force constants have."""
    if not set(STORED_ARRAYS) <= set(node.get_arraynames()):
        names = ", ".join(sorted(node.get_arraynames())) or "none"
        raise ValueError(f"force_constants has the arrays {names}: give {', '.join(STORED_ARRAYS)}")


def check_frames(trajectory: TrajectoryData) -> None:
    """Refuse frames that no potential can mean, or that have no forces."""
    validation.check_trajectory(trajectory)
    require_forces(trajectory)


def check_reference_frames(trajectory: TrajectoryData) -> None:
    """Refuse frames as :func:`check_frames` does, and those of a run here that has lost its crystal."""
    check_frames(trajectory)
    require_kept_crystal(trajectory)


def require_kept_crystal(trajectory: TrajectoryData) -> None:
    """Refuse the frames of a run, made here, that has lost its crystal."""
    outcome = outcome_of(trajectory)
    lost = None if outcome is None else why_no_score({"the run": outcome}, None)
    if lost is not None:
        raise ValueError(f"the frames cannot be a reference, {lost}: give those of a crystal")


def check_combination_inputs(inputs: Mapping[str, Any]) -> None:
    """Check that there is something to measure, and that frames and force constants are of the same crystal."""
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
    """Refuse parameters of the dynamics that the WorkChain sets itself, or that keep no frames."""
    values = validate_parameters("dynamics", parameters.get_dict())
    for name, value in changed(values, OWN_PARAMETERS).items():
        instead = "use parameters.temperatures" if name == "temperatures" else "leave it out"
        raise ValueError(f"base.dynamics.parameters sets {name} to {shown(value)}, which the WorkChain does: {instead}")
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
            with validation.naming(f"{name}force_constants and {name}structure"):
                force_constants_of(place["structure"], place["force_constants"])
    for label, trajectory in frames.items():
        with validation.naming(label):
            supercell = crystal_of(trajectory)
        for name, crystal in crystals.items():
            with validation.naming(f"{label} does not fit to {name}"):
                map_crystal(supercell, crystal)


def define_inputs(spec: ProcessSpec) -> None:
    """Declare crystals, force constants, frames, and how to make what is not given."""
    settings_input(spec, "parameters", validate_anharmonicity, settings_help("anharmonicity.settings"))
    spec.inputs_by_label(
        TrajectoryData,
        partial(check_each, check_frames, prefix="trajectories."),
        required=False,
        trajectories="Own runs with forces, by labels that begin with their temperature (`T300`, `T300_run_1`), such "
        "as those of a sweep with `frame_forces`; none are made then.",
    )
    spec.input_namespace("reference", required=False, help="What to compare with.")
    unit_cell = "The unit cell: what the model's own force constants belong to, or are computed of."
    spec.input_nodes(StructureData, check_anharmonic_crystal, structure=unit_cell)
    reference_cell = {"reference.structure": "The reference's unit cell."}
    spec.input_nodes(StructureData, check_anharmonic_crystal, required=False, **reference_cell)
    constants = {
        "force_constants": "The model's own, as `crucible.phonon` gives them (or full ones); no phonons are computed "
        "then.",
        "reference.force_constants": "Of the reference's unit cell, in the form of the model's; of any supercell.",
    }
    spec.input_nodes(ArrayData, check_constants_arrays, required=False, **constants)
    frames = "Frames of the reference in a supercell, with `forces` (eV/Å); atoms in any order."
    spec.input_nodes(TrajectoryData, check_reference_frames, required=False, **{"reference.trajectory": frames})
    spec.expose_child(
        PhononWorkChain,
        "phonon",
        "How to compute the model's own force constants where none are given, see `crucible.phonon`.",
        ("code", "model", "structure", "verify", "verification"),
        required=False,
    )
    EvaluateBaseWorkChain.expose_in(
        spec, "forces", "How to evaluate the reference's frames, see `crucible.evaluate.base`."
    )
    DynamicsBaseWorkChain.expose_in(
        spec, "base", "How to make own runs, see `crucible.dynamics.base`; left out, none are made.", is_optional=True
    )


def define_outputs(spec: ProcessSpec) -> None:
    """Declare the phonons, the frames, and the scores by combination."""
    spec.expose_outputs(
        PhononWorkChain, namespace="phonon", exclude=("verification",), namespace_options={"required": False}
    )
    spec.outputs_by_label(
        TrajectoryData,
        trajectories="Own runs that were made here, with forces, by temperature and number: `T300_run_0` …",
    )
    spec.output_nodes(TrajectoryData, frames="The reference's frames, where some were left out.")
    spec.output_nodes(
        ArrayData,
        properties="What the model says of the reference's frames, see `crucible.evaluate`.",
        curves="Of own runs over `temperatures` (K): `own_constants` and `reference_constants`, each with `_error`.",
    )
    spec.outputs_by_label(
        Dict,
        scores="By combination (`reference`, `reference_frames_own_constants`, `own_frames_own_constants_T300` …): "
        "`sigma` with errors, `class`, `by` species, site and direction, `effective` force constants, `warnings`.",
    )
    spec.outputs_by_label(
        ArrayData,
        details="By combination: `scores` of each frame, `runs` it is of (by their sorted labels), `frames` (its place "
        "in that trajectory); by mode of the supercell `mode_frequencies` (THz), `mode_scores`, `mode_shares` and "
        "`mode_contributions` (to the square).",
    )
    spec.output_nodes(
        Dict,
        summary="`scores` by combination in brief with the difference to the reference's and whether the class is the "
        "same; `missing` by combination; `runs` with their outcomes.",
    )

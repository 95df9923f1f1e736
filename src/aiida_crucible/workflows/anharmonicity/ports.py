"""The ports of the measurement of anharmonicity."""

from __future__ import annotations

from aiida.engine import ProcessSpec
from aiida.orm import ArrayData, Dict, StructureData, TrajectoryData

from aiida_crucible.analysis.anharmonicity.settings import validate_anharmonicity
from aiida_crucible.calculations import validation
from aiida_crucible.calculations.ports import settings_input
from aiida_crucible.workflows.anharmonicity.inputs import (
    check_anharmonic_crystal,
    check_constants_arrays,
    check_own_trajectories,
    check_reference_frames,
)
from aiida_crucible.workflows.dynamics.base import DynamicsBaseWorkChain
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain
from aiida_crucible.workflows.phonon.workchain import PhononWorkChain


def define_inputs(spec: ProcessSpec) -> None:
    """Declare crystals, force constants, frames, and how to make what is not given."""
    spec.input(
        "structure",
        valid_type=StructureData,
        validator=validation.validator(check_anharmonic_crystal),
        help="The unit cell: what the model's own force constants belong to, or are computed of.",
    )
    settings_input(
        spec,
        "parameters",
        validate_anharmonicity,
        "See `aiida_crucible.analysis.anharmonicity.settings.SETTINGS` for names, units, ranges and defaults.",
    )
    spec.input(
        "force_constants",
        valid_type=ArrayData,
        required=False,
        validator=validation.validator(check_constants_arrays),
        help="The model's own, as `crucible.phonon` gives them (or full ones); no phonons are computed then.",
    )
    spec.input_namespace(
        "trajectories",
        valid_type=TrajectoryData,
        dynamic=True,
        required=False,
        validator=validation.validator(check_own_trajectories),
        help="Own runs with forces, by labels that begin with their temperature (`T300`, `T300_run_1`), such as "
        "those of a sweep with `frame_forces`; none are made then.",
    )
    spec.input_namespace("reference", required=False, help="What to compare with.")
    spec.input(
        "reference.structure",
        valid_type=StructureData,
        required=False,
        validator=validation.validator(check_anharmonic_crystal),
        help="The reference's unit cell.",
    )
    spec.input(
        "reference.force_constants",
        valid_type=ArrayData,
        required=False,
        validator=validation.validator(check_constants_arrays),
        help="Of the reference's unit cell, in the form of the model's; of any supercell.",
    )
    spec.input(
        "reference.trajectory",
        valid_type=TrajectoryData,
        required=False,
        validator=validation.validator(check_reference_frames),
        help="Frames of the reference in a supercell, with `forces` (eV/Å); atoms in any order.",
    )
    spec.expose_inputs(
        PhononWorkChain,
        namespace="phonon",
        exclude=("code", "model", "structure", "verify", "verification"),
        namespace_options={
            "required": False,
            "populate_defaults": False,
            "help": "How to compute the model's own force constants where none are given, see `crucible.phonon`.",
        },
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
    spec.output_namespace(
        "trajectories",
        dynamic=True,
        required=False,
        valid_type=TrajectoryData,
        help="Own runs that were made here, with forces, by temperature and number: `T300_run_0` …",
    )
    spec.output(
        "properties",
        valid_type=ArrayData,
        required=False,
        help="What the model says of the reference's frames, see `crucible.evaluate`.",
    )
    spec.output(
        "frames",
        valid_type=TrajectoryData,
        required=False,
        help="The reference's frames, where some were left out.",
    )
    spec.output_namespace(
        "scores",
        dynamic=True,
        required=False,
        valid_type=Dict,
        help="By combination (`reference`, `reference_frames_own_constants`, `own_frames_own_constants_T300` …): "
        "`sigma` with errors, `class`, `by` species, site and direction, `effective` force constants, `warnings`.",
    )
    spec.output_namespace(
        "details",
        dynamic=True,
        required=False,
        valid_type=ArrayData,
        help="By combination: `scores` of each frame, `runs` it is of (by their sorted labels), `frames` (its place in "
        "that trajectory); by mode of the supercell "
        "`mode_frequencies` (THz), `mode_scores`, `mode_shares` and `mode_contributions` (to the square).",
    )
    spec.output(
        "curves",
        valid_type=ArrayData,
        required=False,
        help="Of own runs over `temperatures` (K): `own_constants` and `reference_constants`, each with `_error`.",
    )
    spec.output(
        "summary",
        valid_type=Dict,
        required=False,
        help="`scores` by combination in brief with the difference to the reference's and whether the class is the "
        "same; `missing` by combination; `runs` with their outcomes.",
    )

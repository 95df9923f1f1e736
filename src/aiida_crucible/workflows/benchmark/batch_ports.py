"""The ports of a batch of materials with one model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from aiida.engine import ProcessSpec
from aiida.orm import ArrayData, Dict, StructureData, TrajectoryData
from ase.formula import Formula

from aiida_crucible.calculations import validation
from aiida_crucible.nodes.force_data import require_forces
from aiida_crucible.nodes.structures import to_atoms
from aiida_crucible.workflows.anharmonicity.inputs import (
    check_anharmonic_crystal,
    check_constants_arrays,
    require_kept_crystal,
)
from aiida_crucible.workflows.dynamics.base import DynamicsBaseWorkChain
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain
from aiida_crucible.workflows.relax.base import RelaxBaseWorkChain
from crucible_engine.wire.schema import EngineError

REFERENCES = ("structures", "force_constants", "trajectories")
SHARED = ("code", "model", "parameters", "restart_from")
"""Inputs of the jobs that the batch sets."""


def define_materials(spec: ProcessSpec) -> None:
    """Declare materials and what there is of a reference, each by the material's label."""
    spec.input_namespace(
        "structures",
        valid_type=StructureData,
        dynamic=True,
        validator=validation.validator(check_crystals),
        help="The unit cell of each material by its label; relaxed with the model first.",
    )
    spec.input_namespace("references", required=False, help="What to compare with, by the materials' labels.")
    spec.input_namespace(
        "references.structures",
        valid_type=StructureData,
        dynamic=True,
        required=False,
        validator=validation.validator(check_crystals),
        help="The reference's unit cells.",
    )
    spec.input_namespace(
        "references.force_constants",
        valid_type=ArrayData,
        dynamic=True,
        required=False,
        validator=validation.validator(check_constants),
        help="Of the reference's unit cells, as `crucible.phonon` gives them or as they were imported.",
    )
    spec.input_namespace(
        "references.trajectories",
        valid_type=TrajectoryData,
        dynamic=True,
        required=False,
        validator=validation.validator(check_trajectories),
        help="Frames of the reference in a supercell, with `forces` (eV/Å); atoms in any order.",
    )


def define_jobs(spec: ProcessSpec) -> None:
    """Declare how each kind of job runs; what it computes is in the settings."""
    for chain, namespace, job, kinds in (
        (RelaxBaseWorkChain, "relax", "relax", ("structures",)),
        (EvaluateBaseWorkChain, "forces", "evaluate", ("structures", "trajectory", "trajectories")),
        (DynamicsBaseWorkChain, "base", "dynamics", ("structure", "structures")),
    ):
        spec.expose_inputs(
            chain,
            namespace=namespace,
            exclude=tuple(f"{job}.{name}" for name in (*SHARED, *kinds)),
            namespace_options={"help": f"How these jobs run, see `crucible.{job}.base`."},
        )


def define_results(spec: ProcessSpec) -> None:
    """Declare what comes of each material, by its label.

    What a row follows from, and the arrays behind it, are the inputs and outputs of its creator: to return them here
    too would double the links of a benchmark, which is most of what it costs.
    """
    spec.output_namespace(
        "rows",
        valid_type=Dict,
        dynamic=True,
        required=False,
        help="What the model says of a material and what is missing why, see "
        "`aiida_crucible.analysis.benchmark.rows.row_of`.",
    )


def check_crystals(structures: Mapping[str, StructureData] | None) -> None:
    """Refuse what is no crystal of whole atoms, with its label.

    :raises ValueError: one line.
    """
    for label, structure in (structures or {}).items():
        try:
            check_anharmonic_crystal(structure)
        except (ValueError, EngineError) as error:
            raise ValueError(f"{label}: {error}") from None


def check_constants(constants: Mapping[str, ArrayData] | None) -> None:
    """Refuse arrays of other names than force constants have, with their label.

    :raises ValueError: one line.
    """
    for label, node in (constants or {}).items():
        try:
            check_constants_arrays(node)
        except ValueError as error:
            raise ValueError(f"{label}: {error}") from None


def check_trajectories(trajectories: Mapping[str, TrajectoryData] | None) -> None:
    """Refuse frames without forces, with their label; of what else can be wrong the material's row tells.

    :raises ValueError: one line.
    """
    for label, trajectory in (trajectories or {}).items():
        try:
            require_forces(trajectory)
            require_kept_crystal(trajectory)
        except ValueError as error:
            raise ValueError(f"{label}: {error}") from None


def check_references(inputs: Mapping[str, Any]) -> None:
    """Refuse references of unknown materials, and force constants without the crystal that they belong to.

    :param inputs: with ``structures`` and ``references``.
    :raises ValueError: one line.
    """
    if not inputs.get("structures"):
        raise ValueError("there are no materials: give structures by their labels")
    references = inputs.get("references") or {}
    for name in REFERENCES:
        unknown = sorted(set(references.get(name) or {}) - set(inputs["structures"]))
        if unknown:
            raise ValueError(
                f"references.{name} has {unknown[0]!r}, which is none of the materials: "
                f"name it as in structures ({', '.join(sorted(inputs['structures'])[:5])} …)"
            )
    for label, trajectory in (references.get("trajectories") or {}).items():
        structure = inputs["structures"][label]
        frame, cell = Counter(trajectory.symbols), Counter(to_atoms(structure).symbols)
        if {symbol: count * cell.total() for symbol, count in frame.items()} != {
            symbol: count * frame.total() for symbol, count in cell.items()
        }:
            raise ValueError(
                f"references.trajectories.{label} is of {Formula.from_dict(frame).format('hill')}, the material of "
                f"{structure.get_formula()}: give frames of the same crystal"
            )
    lonely = sorted(set(references.get("force_constants") or {}) - set(references.get("structures") or {}))
    if lonely:
        raise ValueError(
            f"references.force_constants has {lonely[0]!r}, but references.structures lacks the unit cell that they "
            "belong to: give it"
        )

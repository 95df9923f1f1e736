"""Energies, forces and stresses of many structures in one job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aiida.engine import CalcJobProcessSpec, PortNamespace
from aiida.orm import ArrayData, FolderData, StructureData, TrajectoryData
from ase import Atoms

from aiida_crucible.calculations import validation
from aiida_crucible.calculations.base import EngineCalculation, check_unfinished
from aiida_crucible.nodes.structures import to_atoms, trajectory_to_atoms

WHAT_IS_EVALUATED = ("structures", "trajectory", "trajectories")
"""Inputs of which one is given; a WorkChain that fills one of them itself exposes none."""


class EvaluateCalculation(EngineCalculation):
    """Evaluate structures, the frames of a trajectory, or those of several; what has keys in their sorted order."""

    TASK = "evaluate"

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare what to evaluate and what comes of it."""
        super().define(spec)
        spec.input_namespace(
            "structures",
            valid_type=StructureData,
            dynamic=True,
            required=False,
            validator=validation.validator(validation.check_structures),
            help="What to evaluate; results come in the order of the sorted keys.",
        )
        spec.input(
            "trajectory",
            valid_type=TrajectoryData,
            required=False,
            validator=validation.validator(validation.check_trajectory),
            help="Frames to evaluate, instead of `structures`.",
        )
        spec.input_namespace(
            "trajectories",
            valid_type=TrajectoryData,
            dynamic=True,
            required=False,
            validator=validation.validator(validation.check_trajectories),
            help="Frames of several trajectories, of any sizes and compositions, to evaluate in one job.",
        )
        spec.input(
            "restart_from",
            valid_type=FolderData,
            required=False,
            validator=validation.validator(check_unfinished),
            help="The `retrieved` output of an interrupted job with the same inputs, which is continued.",
        )
        spec.output(
            "properties",
            valid_type=ArrayData,
            required=False,
            help="`energies` [n] (eV), `forces` [n, n_atoms, 3] (eV/Å), `stresses` [n, 6] (eV/Å³, ASE's sign, Voigt "
            "xx yy zz yz xz xy). Where sizes differ, `forces` are [n_atoms_total, 3], one structure after the other. "
            "`n_atoms` [n] are the sizes. An unfinished job has the first n that were done.",
        )
        spec.output_namespace(
            "properties_of",
            valid_type=ArrayData,
            dynamic=True,
            required=False,
            help="For each of `trajectories`, by its key, what `properties` are for one. An unfinished job has those "
            "of which all frames were done.",
        )

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any], ports: PortNamespace) -> None:
        """Check that there is one kind of input to evaluate."""
        namespaces = [name for name in ("structures", "trajectories") if inputs.get(name)]
        n_given = len(namespaces) + (inputs.get("trajectory") is not None)
        if n_given > 1:
            raise ValueError("give structures, a trajectory or trajectories: one of them, and no other")
        if not n_given and all(name in ports for name in WHAT_IS_EVALUATED):
            raise ValueError("there is nothing to evaluate: give structures, a trajectory or trajectories")
        super().check_inputs(inputs, ports)

    @classmethod
    def symbols_by_input(cls, inputs: Mapping[str, Any]) -> dict[str, set[str]]:
        """Return the chemical symbols of each structure or trajectory."""
        if inputs.get("trajectory") is not None:
            return {"the trajectory": set(inputs["trajectory"].symbols)}
        trajectories = inputs.get("trajectories") or {}
        return {
            **validation.symbols_of(inputs.get("structures")),
            **{f"trajectory {key!r}": set(trajectory.symbols) for key, trajectory in trajectories.items()},
        }

    def structures_to_write(self) -> Iterator[tuple[str, Atoms]]:
        """Yield the structures or the trajectories' frames, in the order of sorted keys."""
        if "trajectory" in self.inputs:
            for index, atoms in enumerate(trajectory_to_atoms(self.inputs.trajectory)):
                yield validation.frame_label(index), atoms
        for key, trajectory in sorted((self.inputs.get("trajectories") or {}).items()):
            for index, atoms in enumerate(trajectory_to_atoms(trajectory)):
                yield validation.frame_label(index, key), atoms
        for key, structure in sorted((self.inputs.get("structures") or {}).items()):
            yield key, to_atoms(structure)

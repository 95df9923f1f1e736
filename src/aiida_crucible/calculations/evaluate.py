"""Energies, forces and stresses of many structures in one job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aiida.engine import CalcJobProcessSpec, PortNamespace
from aiida.orm import ArrayData, FolderData, StructureData, TrajectoryData
from ase import Atoms

from aiida_crucible.calculations import validation
from aiida_crucible.calculations.base import EngineCalculation, check_unfinished
from aiida_crucible.structures import to_atoms, trajectory_to_atoms


class EvaluateCalculation(EngineCalculation):
    """Evaluate the structures of a namespace, in the order of their sorted keys, or the frames of a trajectory."""

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

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any], ports: PortNamespace) -> None:
        """Check that there is one kind of input to evaluate."""
        structures, trajectory = bool(inputs.get("structures")), inputs.get("trajectory") is not None
        if structures and trajectory:
            raise ValueError("give structures or a trajectory, not both")
        if "structures" in ports and "trajectory" in ports and not (structures or trajectory):
            raise ValueError("there is nothing to evaluate: give structures or a trajectory")
        super().check_inputs(inputs, ports)

    @classmethod
    def symbols_by_input(cls, inputs: Mapping[str, Any]) -> dict[str, set[str]]:
        """Return the chemical symbols of each structure, or of the trajectory."""
        if inputs.get("trajectory") is not None:
            return {"the trajectory": set(inputs["trajectory"].symbols)}
        return validation.symbols_of(inputs.get("structures"))

    def structures_to_write(self) -> Iterator[tuple[str, Atoms]]:
        """Yield the structures in the order of their sorted keys, or the trajectory's frames."""
        if "trajectory" in self.inputs:
            for index, atoms in enumerate(trajectory_to_atoms(self.inputs.trajectory)):
                yield validation.frame_label(index), atoms
        else:
            for key, structure in sorted(self.inputs.structures.items()):
                yield key, to_atoms(structure)

"""Energies, forces and stresses of many structures in one job: the CalcJob and its parser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from aiida.engine import CalcJobProcessSpec, PortNamespace
from aiida.orm import ArrayData, Data, StructureData, TrajectoryData
from ase import Atoms

from aiida_crucible.calculations import validation
from aiida_crucible.calculations.base import EngineCalculation, unfinished_input
from aiida_crucible.calculations.output_files import (
    Arrays,
    bytes_of_properties,
    check_properties,
    properties_of,
    read_arrays,
    split_properties,
)
from aiida_crucible.calculations.parser import EngineParser, Unfinished
from aiida_crucible.nodes.structures import trajectory_to_atoms
from aiida_crucible.nodes.training.dataset import DatasetData
from crucible_engine.wire.journal import Record
from crucible_engine.wire.records import Check, evaluation_check
from crucible_engine.wire.schema import ARRAYS_FILE


class EvaluateCalculation(EngineCalculation):
    """Evaluate structures, the frames of a trajectory, or those of several; what has keys in their sorted order."""

    TASK = "evaluate"
    TREATED = ("structures", "trajectory", "trajectories", "dataset")

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare what to evaluate and what comes of it."""
        super().define(spec)
        spec.inputs_by_label(
            StructureData,
            validation.check_structures,
            required=False,
            structures="What to evaluate; results come in the order of the sorted keys.",
        )
        spec.input_nodes(
            TrajectoryData,
            validation.check_trajectory,
            required=False,
            trajectory="Frames to evaluate, instead of `structures`.",
        )
        spec.inputs_by_label(
            TrajectoryData,
            validation.check_trajectories,
            required=False,
            trajectories="Frames of several trajectories, of any sizes and compositions, to evaluate in one job.",
        )
        spec.input_nodes(DatasetData, required=False, dataset="A dataset, whose frames are evaluated in their order.")
        unfinished_input(spec)
        spec.output_nodes(
            ArrayData,
            properties="`energies` [n] (eV), `forces` [n, n_atoms, 3] (eV/Å), `stresses` [n, 6] (eV/Å³, ASE's sign, "
            "Voigt xx yy zz yz xz xy). Where sizes differ, `forces` are [n_atoms_total, 3], one structure after the "
            "other. `n_atoms` [n] are the sizes. An unfinished job has the first n that were done. Of a committee also "
            "what each member says: `ensemble_energies` [n, n_members], `ensemble_forces` [n, n_members, n_atoms, 3] "
            "(where sizes differ [n_atoms_total, n_members, 3]), `ensemble_stresses` [n, n_members, 6].",
        )
        spec.outputs_by_label(
            ArrayData,
            properties_of="For each of `trajectories`, by its key, what `properties` are for one. An unfinished job "
            "has those of which all frames were done.",
        )

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any], ports: PortNamespace) -> None:
        """Check that there is one kind of input to evaluate."""
        namespaces = [name for name in ("structures", "trajectories") if inputs.get(name)]
        n_given = len(namespaces) + sum(inputs.get(name) is not None for name in ("trajectory", "dataset"))
        if n_given > 1:
            raise ValueError("give structures, a trajectory, trajectories or a dataset: one of them, and no other")
        if not n_given and all(name in ports for name in cls.TREATED):
            raise ValueError("there is nothing to evaluate: give structures, a trajectory, trajectories or a dataset")
        super().check_inputs(inputs, ports)

    @classmethod
    def symbols_by_input(cls, inputs: Mapping[str, Any]) -> dict[str, set[str]]:
        """Return the chemical symbols of each structure or trajectory."""
        if inputs.get("trajectory") is not None:
            return {"the trajectory": set(inputs["trajectory"].symbols)}
        if inputs.get("dataset") is not None:
            return {f"dataset {inputs['dataset'].title}": set(inputs["dataset"].elements)}
        trajectories = inputs.get("trajectories") or {}
        return {
            **super().symbols_by_input(inputs),
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
        for index, atoms in enumerate(self.inputs.dataset.frames().atoms() if "dataset" in self.inputs else ()):
            yield validation.frame_label(index), atoms
        yield from super().structures_to_write()


class EvaluateParser(EngineParser):
    """Energies, forces and stresses of all structures, or of those that were done."""

    def outputs_of_complete(self, temporary: Path) -> Mapping[str, Data]:
        """Return ``properties`` of all structures, or ``properties_of`` each trajectory."""
        sizes = self._sizes()
        arrays = read_arrays(temporary / ARRAYS_FILE, bytes_of_properties(sizes, self._n_members))
        check_properties(arrays, sizes, self._stress, self._n_members)
        return self._nodes_of(arrays)

    def outputs_of_unfinished(self, records: list[Record], temporary: Path) -> Unfinished:
        """Return ``properties`` of the first structures, or ``properties_of`` the trajectories, that were done."""
        sizes = self._sizes()
        evaluated = [record.arrays for record in records]
        completed = sum(len(arrays["energies"]) for arrays in evaluated)
        summary = {"n_structures": len(sizes), "n_completed": completed}
        if not completed:
            return {}, summary
        arrays = {name: np.concatenate([part[name] for part in evaluated]) for name in evaluated[0]}
        check_properties(arrays, sizes[:completed], self._stress, self._n_members)
        return self._nodes_of(arrays), summary

    def record_check(self) -> Check:
        """Return the check of the records of the structures, one batch after the other."""
        return evaluation_check(self._sizes(), self._stress, self._n_members)

    @property
    def _stress(self) -> bool:
        return bool(self.node.inputs.parameters.get("stress", True))

    @property
    def _n_members(self) -> int:
        return int(self.node.inputs.model.n_members)

    @property
    def _trajectories(self) -> dict[str, TrajectoryData]:
        inputs = self.node.inputs
        return dict(sorted(inputs.trajectories.items())) if "trajectories" in inputs else {}

    def _sizes(self) -> list[int]:
        inputs = self.node.inputs
        if "dataset" in inputs:
            return list(inputs.dataset.sizes)
        if "structures" in inputs:
            return [len(structure.sites) for _, structure in sorted(inputs.structures.items())]
        trajectories = [inputs.trajectory] if "trajectory" in inputs else self._trajectories.values()
        return [len(trajectory.symbols) for trajectory in trajectories for _ in range(trajectory.numsteps)]

    def _nodes_of(self, arrays: Arrays) -> dict[str, Data]:
        """Return the nodes of arrays, which may be of the first ones only; of trajectories those that are whole."""
        if not self._trajectories:
            return {"properties": ArrayData(properties_of(arrays, self._n_members))}
        ends = np.cumsum([trajectory.numsteps for trajectory in self._trajectories.values()])
        counts = np.diff(ends[ends <= len(arrays["energies"])], prepend=0).tolist()
        parts = split_properties(arrays, counts, self._n_members)
        return {
            f"properties_of.{key}": ArrayData(properties_of(part, self._n_members))
            for key, part in zip(self._trajectories, parts, strict=False)
        }

"""Parser of ``crucible.evaluate``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from aiida.orm import ArrayData, Data, TrajectoryData

from aiida_crucible.calculations.output_files import (
    Arrays,
    check_properties,
    properties_of,
    read_arrays,
    split_properties,
)
from aiida_crucible.calculations.parser import EngineParser
from aiida_crucible.calculations.promised import bytes_of_properties
from crucible_engine.wire.journal import Record
from crucible_engine.wire.records import Check, evaluation_check
from crucible_engine.wire.schema import ARRAYS_FILE


class EvaluateParser(EngineParser):
    """Energies, forces and stresses of all structures, or of those that were done."""

    def outputs_of_complete(self, temporary: Path) -> Mapping[str, Data]:
        """Return ``properties`` of all structures, or ``properties_of`` each trajectory."""
        sizes = self._sizes()
        arrays = read_arrays(temporary / ARRAYS_FILE, bytes_of_properties(sizes))
        check_properties(arrays, sizes, self._stress)
        return self._nodes_of(arrays)

    def outputs_of_unfinished(
        self, records: list[Record], temporary: Path
    ) -> tuple[Mapping[str, Data], dict[str, Any]]:
        """Return ``properties`` of the first structures, or ``properties_of`` the trajectories, that were done."""
        sizes = self._sizes()
        evaluated = [record.arrays for record in records]
        completed = sum(len(arrays["energies"]) for arrays in evaluated)
        summary = {"n_structures": len(sizes), "n_completed": completed}
        if not completed:
            return {}, summary
        arrays = {name: np.concatenate([part[name] for part in evaluated]) for name in evaluated[0]}
        check_properties(arrays, sizes[:completed], self._stress)
        return self._nodes_of(arrays), summary

    def record_check(self) -> Check:
        """Return the check of the records of the structures, one batch after the other."""
        return evaluation_check(self._sizes(), self._stress)

    @property
    def _stress(self) -> bool:
        return bool(self.node.inputs.parameters.get("stress", True))

    @property
    def _trajectories(self) -> dict[str, TrajectoryData]:
        inputs = self.node.inputs
        return dict(sorted(inputs.trajectories.items())) if "trajectories" in inputs else {}

    def _sizes(self) -> list[int]:
        inputs = self.node.inputs
        if "structures" in inputs:
            return [len(structure.sites) for _, structure in sorted(inputs.structures.items())]
        trajectories = [inputs.trajectory] if "trajectory" in inputs else self._trajectories.values()
        return [len(trajectory.symbols) for trajectory in trajectories for _ in range(trajectory.numsteps)]

    def _nodes_of(self, arrays: Arrays) -> dict[str, Data]:
        """Return the nodes of arrays, which may be of the first ones only; of trajectories those that are whole."""
        if not self._trajectories:
            return {"properties": ArrayData(properties_of(arrays))}
        ends = np.cumsum([trajectory.numsteps for trajectory in self._trajectories.values()])
        counts = np.diff(ends[ends <= len(arrays["energies"])], prepend=0).tolist()
        parts = split_properties(arrays, counts)
        return {
            f"properties_of.{key}": ArrayData(properties_of(part))
            for key, part in zip(self._trajectories, parts, strict=False)
        }

"""Parser of ``crucible.evaluate``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from aiida.orm import ArrayData, Data

from aiida_crucible.parsers.base import EngineParser
from aiida_crucible.parsers.files import check_properties, properties_of, read_arrays
from crucible_engine.journal import Record
from crucible_engine.schema import ARRAYS_FILE, EVALUATIONS


class EvaluateParser(EngineParser):
    """Energies, forces and stresses of all structures, or of those that were done."""

    def outputs_of_complete(self, temporary: Path) -> Mapping[str, Data]:
        """Return ``properties`` of all structures."""
        arrays = read_arrays(temporary / ARRAYS_FILE)
        check_properties(arrays, self._sizes(), self._stress)
        return {"properties": ArrayData(properties_of(arrays))}

    def outputs_of_unfinished(
        self, records: list[Record], temporary: Path
    ) -> tuple[Mapping[str, Data], dict[str, Any]]:
        """Return ``properties`` of the first structures, those that were done."""
        sizes = self._sizes()
        evaluated = [record.arrays for record in records if record.kind == EVALUATIONS]
        completed = sum(len(arrays["energies"]) for arrays in evaluated)
        summary = {"n_structures": len(sizes), "n_completed": completed}
        if not completed:
            return {}, summary
        arrays = {name: np.concatenate([part[name] for part in evaluated]) for name in evaluated[0]}
        check_properties(arrays, sizes[:completed], self._stress)
        return {"properties": ArrayData(properties_of(arrays))}, summary

    @property
    def _stress(self) -> bool:
        return bool(self.node.inputs.parameters.get("stress", True))

    def _sizes(self) -> list[int]:
        inputs = self.node.inputs
        if "trajectory" in inputs:
            return [len(inputs.trajectory.symbols)] * inputs.trajectory.numsteps
        return [len(structure.sites) for _, structure in sorted(inputs.structures.items())]

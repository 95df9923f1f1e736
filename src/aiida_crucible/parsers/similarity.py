"""Parser of ``crucible.similarity``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from aiida.orm import ArrayData, Data

from aiida_crucible.exit_codes import ARRAYS_MISMATCH
from aiida_crucible.parsers.base import EngineParser
from aiida_crucible.parsers.files import Arrays, OutputError, read_arrays
from aiida_crucible.parsers.promised import bytes_of_map
from crucible_engine.journal import Record
from crucible_engine.schema import ARRAYS_FILE, TILE

NAMES = ("kernel", "self_similarities", "coordinates", "variances", "sampler", "frame", "n_atoms")


class SimilarityParser(EngineParser):
    """The kernel and the map of all frames."""

    def outputs_of_complete(self, temporary: Path) -> Mapping[str, Data]:
        """Return ``map``."""
        n_given = sum(node.numsteps for node in self.node.inputs.trajectories.values())
        arrays = read_arrays(temporary / ARRAYS_FILE, bytes_of_map(n_given))
        check_map(arrays, n_given)
        return {"map": ArrayData({name: np.asarray(arrays[name]) for name in NAMES})}

    def outputs_of_unfinished(
        self, records: list[Record], temporary: Path
    ) -> tuple[Mapping[str, Data], dict[str, Any]]:
        """Say in the summary how many tiles of the kernel were done; they are in the journal, which is continued."""
        del temporary
        return {}, {"tiles_done": sum(record.kind == TILE for record in records)}


def check_map(arrays: Arrays, n_given: int) -> None:
    """Check that the arrays of a map belong to each other and to the job.

    :param arrays: what the engine wrote.
    :param n_given: frames that it was given.
    :raises OutputError: one line that names the array.
    """
    for name in NAMES:
        if name not in arrays:
            raise OutputError(ARRAYS_MISMATCH, f"{name} is missing from {ARRAYS_FILE}")
    n, n_components = len(arrays["self_similarities"]), len(arrays["variances"])
    if n > n_given:
        raise OutputError(ARRAYS_MISMATCH, f"there are {n} frames where {n_given} were given")
    shapes = {"kernel": (n, n), "coordinates": (n, n_components)}
    for name in NAMES:
        shape = shapes.get(name, (n_components,) if name == "variances" else (n,))
        if arrays[name].shape != shape:
            raise OutputError(ARRAYS_MISMATCH, f"{name} has shape {arrays[name].shape} where {shape} was expected")

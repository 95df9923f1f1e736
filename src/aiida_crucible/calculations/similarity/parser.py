"""Parser of ``crucible.similarity``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from aiida.orm import ArrayData, Data

from aiida_crucible.calculations.exit_codes import ARRAYS_MISMATCH
from aiida_crucible.calculations.output_files import Arrays, OutputError, read_arrays, require_arrays
from aiida_crucible.calculations.parser import EngineParser
from aiida_crucible.calculations.promised import bytes_of_map
from crucible_engine.wire.arrays import Layout
from crucible_engine.wire.journal import Record
from crucible_engine.wire.records import Check, tile_check
from crucible_engine.wire.schema import ARRAYS_FILE

NAMES = ("kernel", "self_similarities", "coordinates", "variances", "sampler", "frame", "n_atoms")


class SimilarityParser(EngineParser):
    """The kernel and the map of all frames."""

    def outputs_of_complete(self, temporary: Path) -> Mapping[str, Data]:
        """Return ``map``."""
        n_given = sum(node.numsteps for node in self.node.inputs.trajectories.values())
        arrays = read_arrays(temporary / ARRAYS_FILE, bytes_of_map(n_given))
        check_map(arrays, n_given)
        return {"map": ArrayData({name: np.asarray(arrays[name]) for name in NAMES})}

    def record_check(self) -> Check:
        """Return the check of the tiles, of which the parser counts those that there are."""
        return tile_check(None)

    def outputs_of_unfinished(
        self, records: list[Record], temporary: Path
    ) -> tuple[Mapping[str, Data], dict[str, Any]]:
        """Say in the summary how many tiles of the kernel were done; they are in the journal, which is continued."""
        del temporary
        return {}, {"tiles_done": len(records)}


def check_map(arrays: Arrays, n_given: int) -> None:
    """Check that the arrays of a map belong to each other and to the job.

    :param arrays: what the engine wrote.
    :param n_given: frames that it was given.
    :raises OutputError: one line that names the array.
    """
    require_arrays(arrays, {"self_similarities": Layout("f", (None,)), "variances": Layout("f", (None,))})
    n, n_components = len(arrays["self_similarities"]), len(arrays["variances"])
    if n > n_given:
        raise OutputError(ARRAYS_MISMATCH, f"there are {n} frames where {n_given} were given")
    layouts = {
        "kernel": Layout("f", (n, n)),
        "coordinates": Layout("f", (n, n_components)),
        **dict.fromkeys(("sampler", "frame", "n_atoms"), Layout("i", (n,))),
    }
    require_arrays(arrays, layouts)

"""What a dynamics that was killed left in its run folder, without AiiDA."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crucible_engine.dynamics.checkpoint import STATE_FILE
from crucible_engine.schema import SERIES_COLUMNS


def read_checkpoint(folder: Path) -> dict[str, int] | None:
    """Return how far the checkpoint in a folder is: ``replica`` (those before it are done) and its ``step``.

    ``None`` where there is none, or it is damaged.
    """
    try:
        with np.load(folder / STATE_FILE, allow_pickle=False) as archive:
            scalars = json.loads(str(archive["scalars"]))
        return {"replica": len(scalars["done"]), "step": int(scalars.get("step", 0))}
    except Exception:  # a damaged archive makes zipfile and numpy raise almost anything
        return None


def read_streams(folder: Path) -> dict[str, NDArray[Any]]:
    """Return the time series in a folder as ``arrays.npz`` would hold them, up to the last checkpoint.

    A file that was cut in the middle of its rows is left out: it does not come from a checkpoint.
    """
    arrays = {}
    for path in sorted(folder.glob("series-*.npy")):
        match = re.fullmatch(r"series-(\d+)", path.stem)
        try:
            rows = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            continue
        if match is not None and rows.dtype.names == SERIES_COLUMNS:
            arrays[f"series_{match[1]}"] = rows.view(np.float64).reshape(len(rows), len(SERIES_COLUMNS))
    return arrays

"""What a dynamics that was killed left in its run folder, without AiiDA."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crucible_engine.dynamics.checkpoint import PREVIOUS_STATE_FILE, STATE_FILE
from crucible_engine.schema import SERIES_COLUMNS


def read_checkpoint(folder: Path) -> tuple[dict[str, int] | None, dict[str, Any]]:
    """Return how far the newest intact checkpoint in a folder is, and the summaries of the replicas that are done.

    The first is ``replica`` (those before it are done) and its ``step``; ``None`` where there is no checkpoint.
    """
    for name in (STATE_FILE, PREVIOUS_STATE_FILE):
        try:
            with np.load(folder / name, allow_pickle=False) as archive:
                scalars = json.loads(str(archive["scalars"]))
            done: dict[str, Any] = scalars["done"]
            return {"replica": len(done), "step": int(scalars.get("step", 0))}, done
        except Exception:  # a damaged archive makes zipfile and numpy raise almost anything
            continue
    return None, {}


def read_streams(folder: Path, done: Collection[str]) -> dict[str, NDArray[Any]]:
    """Return the time series in a folder and the averages of what is done, as ``arrays.npz`` would hold them.

    A file that was cut in the middle of its rows is left out: it does not come from a checkpoint.

    :param done: labels of the replicas that are done.
    """
    arrays = {}
    for label in done:
        index = label.rpartition("_")[2]
        with contextlib.suppress(Exception), np.load(folder / f"result-{index}.npz", allow_pickle=False) as archive:
            arrays.update({f"{name}_{index}": archive[name] for name in archive.files})
    for path in sorted(folder.glob("series-*.npy")):
        match = re.fullmatch(r"series-(\d+)", path.stem)
        try:
            rows = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            continue
        if match is not None and rows.dtype.names == SERIES_COLUMNS:
            arrays[f"series_{match[1]}"] = rows.view(np.float64).reshape(len(rows), len(SERIES_COLUMNS))
    return arrays

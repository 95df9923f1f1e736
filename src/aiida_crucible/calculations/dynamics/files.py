"""What a dynamics that was killed left in its run folder, without AiiDA."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.nodes.bounds import LARGEST_MARGIN, LARGEST_RESULTS
from crucible_engine.tasks.dynamics.checkpoint import PREVIOUS_STATE_FILE, STATE_FILE
from crucible_engine.tasks.dynamics.stream import series_dtype
from crucible_engine.wire.arrays import read_arrays
from crucible_engine.wire.schema import SERIES_COLUMNS
from crucible_engine.wire.value_types import parse_json, require_type


def read_checkpoint(folder: Path, promised: int) -> tuple[dict[str, int] | None, dict[str, Any]]:
    """Return how far the newest intact checkpoint in a folder is, and the summaries of the replicas that are done.

    The first is ``replica`` (those before it are done) and its ``step``; ``None`` where there is no checkpoint.

    :param promised: bytes of the arrays that the whole job was to write, at the most.
    """
    for name in (STATE_FILE, PREVIOUS_STATE_FILE):
        try:
            arrays = read_arrays(folder / name, promised + LARGEST_RESULTS)
            scalars = parse_json(str(arrays["scalars"]))
            require_type("scalars", scalars, dict[str, Any])
            done, step = scalars.get("done"), scalars.get("step", 0)
            require_type("done", done, dict[str, dict[str, Any]])
            require_type("step", step, int)
        except (OSError, ValueError, KeyError):
            continue
        return {"replica": len(done), "step": step}, done
    return None, {}


def read_streams(folder: Path, done: Collection[str], promised: int) -> dict[str, NDArray[Any]]:
    """Return the time series in a folder and the averages of what is done, as ``arrays.npz`` would hold them.

    A file that was cut in the middle of its rows is left out: it does not come from a checkpoint.

    :param done: labels of the replicas that are done.
    :param promised: bytes of the arrays that the whole job was to write, at the most; a larger file is left out, too.
    """
    arrays = {}
    for label in done:
        index = label.rpartition("_")[2]
        with contextlib.suppress(OSError, ValueError):
            result = read_arrays(folder / f"result-{index}.npz", promised + LARGEST_MARGIN)
            arrays.update({f"{name}_{index}": array for name, array in result.items()})
    for path in sorted(folder.glob("series-*.npy")):
        match = re.fullmatch(r"series-(\d+)", path.stem)
        if path.stat().st_size > promised + LARGEST_MARGIN:
            continue
        try:
            # Mapped, so that a file shorter than it announces is refused before memory is asked for.
            rows = np.array(np.load(path, mmap_mode="r", allow_pickle=False))
        except Exception:  # numpy parses a header as Python, which raises almost anything
            continue
        if match is not None and rows.dtype == series_dtype(SERIES_COLUMNS) and rows.ndim == 1:
            arrays[f"series_{match[1]}"] = rows.view(np.float64).reshape(len(rows), len(SERIES_COLUMNS))
    return arrays

"""``arrays.npz`` and the scalars of a dynamics, from what its replicas left on the disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase.geometry import cell_to_cellpar
from numpy.typing import NDArray

from crucible_engine.tasks.dynamics.recorder import frames_path, series_path
from crucible_engine.tasks.dynamics.settings import Settings
from crucible_engine.tasks.dynamics.stream import Records, frame_dtype
from crucible_engine.wire.arrays import Member, read_arrays, write_arrays
from crucible_engine.wire.schema import SERIES_COLUMNS

CHUNK = 256
"""Frames that are in memory at a time."""
AVERAGED = ("temperature", "potential_energy", "kinetic_energy", "pressure", "volume")
CELL = ("a", "b", "c", "alpha", "beta", "gamma")


def write_result(folder: Path, replica: int, arrays: dict[str, NDArray[Any]]) -> None:
    """Keep the arrays of a replica that is done."""
    members = {name: Member(np.float64, value.shape, [value]) for name, value in arrays.items()}
    write_arrays(_result_path(folder, replica), members)


def read_result(folder: Path, replica: int) -> dict[str, NDArray[np.float64]]:
    """Return what :func:`write_result` kept; nothing for a replica that is not done.

    :raises ValueError: if the file is damaged.
    """
    path = _result_path(folder, replica)
    return read_arrays(path) if path.exists() else {}


def write_output(
    path: Path, folder: Path, rows: dict[int, tuple[int, int]], settings: Settings, done: set[int]
) -> None:
    """Write ``arrays.npz``, see :mod:`crucible_engine.tasks.dynamics.run`.

    :param rows: rows of series and frames that each replica has on the disk.
    :param done: replicas that have come to their end.
    """
    members: dict[str, Member] = {}
    for replica, (n_rows, n_frames) in rows.items():
        series = read_series(folder, replica, n_rows)
        members[f"series_{replica}"] = Member(np.float64, series.shape, [series])
        members.update(_frame_members(folder, replica, n_frames, settings))
        if replica in done:
            result = read_result(folder, replica)
            members.update({f"{name}_{replica}": Member(np.float64, a.shape, [a]) for name, a in result.items()})
    write_arrays(path, members)


def read_series(folder: Path, replica: int, rows: int) -> NDArray[np.float64]:
    """Return the time series of a replica, [rows, columns]."""
    records = np.load(series_path(folder, replica), mmap_mode="r", allow_pickle=False)[:rows]
    return np.array(records).view(np.float64).reshape(rows, len(SERIES_COLUMNS))


def average_series(series: NDArray[np.float64], settings: Settings) -> dict[str, Any]:
    """Return mean and standard deviation of what a series holds, over the averaged steps.

    :param series: [n_rows, columns].
    """
    part = series[series[:, 0] >= settings.first_averaged_step()]
    averages: dict[str, Any] = {"from_step": settings.first_averaged_step(), "n_rows": len(part)}
    if not len(part):
        return averages
    columns = {name: part[:, SERIES_COLUMNS.index(name)] for name in AVERAGED}
    first = SERIES_COLUMNS.index("cell_ax")
    cells = part[:, first : first + 9].reshape(-1, 3, 3)
    if np.isfinite(cells).all() and cells.any(axis=(1, 2)).all():
        columns |= dict(zip(CELL, np.array([cell_to_cellpar(cell) for cell in cells]).T, strict=True))
    for name, values in columns.items():
        if np.isfinite(values).all():
            averages[name] = {"mean": float(values.mean()), "standard_deviation": float(values.std())}
    return averages


def conserved_drift(series: NDArray[np.float64], n_atoms: int) -> float | None:
    """Return the slope of the conserved quantity, eV/(atom ps); ``None`` where there is none.

    :param series: [n_rows, columns].
    """
    times, values = series[:, 1] / 1000, series[:, SERIES_COLUMNS.index("conserved_quantity")]
    if len(series) < 3 or not np.isfinite(values).all():
        return None
    return float(np.polyfit(times, values - values[0], 1)[0] / n_atoms)


def estimate_size(sizes: Sequence[int], settings: Settings) -> dict[str, int]:
    """Return how many bytes a whole job will write.

    ``frames_bytes`` and ``series_bytes`` stay on the computer, ``retrieved_bytes`` come back.
    """
    frame = sum(frame_dtype(size, settings.frame_forces, settings.frame_velocities).itemsize for size in sizes)
    frames = settings.count_recorded(settings.frame_interval)
    retrieved = len(range(0, frames, stride(settings))) if settings.retrieved_frames else 0
    series = settings.count_recorded(settings.series_interval) * 8 * len(SERIES_COLUMNS)
    return {
        "frames_bytes": frames * frame,
        "series_bytes": len(sizes) * series,
        "retrieved_bytes": retrieved * frame + len(sizes) * series + 15 * 8 * sum(sizes),
    }


def stride(settings: Settings) -> int:
    """Return the distance, in frames, of those that come back."""
    if not settings.frame_interval or not settings.retrieved_frames:
        return 1
    return int(-(-settings.count_recorded(settings.frame_interval) // settings.retrieved_frames))


def _result_path(folder: Path, replica: int) -> Path:
    return folder / f"result-{replica}.npz"


def _frame_members(folder: Path, replica: int, n_frames: int, settings: Settings) -> dict[str, Member]:
    if not n_frames or not settings.retrieved_frames:
        return {}
    every = stride(settings)
    records = Records(frames_path(folder, replica), n_frames, every)
    names = {"step": "frame_steps", "cell": "frame_cells"}
    return {
        f"{names.get(field, 'frame_' + field)}_{replica}": Member(
            records.dtype[field].base, (len(records), *records.dtype[field].shape), _chunks(records, field)
        )
        for field in records.dtype.names or ()
    }


def _chunks(records: Records, field: str) -> Iterator[NDArray[Any]]:
    for start in range(0, len(records), CHUNK):
        yield np.array(records.read(start, start + CHUNK)[field])

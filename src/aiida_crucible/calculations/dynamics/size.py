"""How much a dynamics will write: what stays on the computer, what comes back, what AiiDA keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crucible_engine.tasks.dynamics.output import estimate_size
from crucible_engine.tasks.dynamics.settings import Settings

LARGE = 10 * 1000**3
"""Bytes above which a user is warned."""


@dataclass(frozen=True)
class Size:
    """Bytes of one run, all replicas together.

    :param frames: of the frames that stay on the computer.
    :param series: of the time series; they stay on the computer and come back.
    :param retrieved: of what comes back.
    :param stored: of what AiiDA keeps at the most: its trajectories are double precision.
    """

    frames: int
    series: int
    retrieved: int
    stored: int


def size_of(parameters: Mapping[str, Any], sizes: Sequence[int]) -> Size:
    """Return the size of a run.

    :param parameters: the validated parameters of ``dynamics``.
    :param sizes: numbers of atoms, one for each replica.
    """
    size = estimate_size(sizes, Settings(**parameters))
    frames_retrieved = size["retrieved_bytes"] - size["series_bytes"]
    return Size(
        frames=size["frames_bytes"],
        series=size["series_bytes"],
        retrieved=size["retrieved_bytes"],
        stored=size["series_bytes"] + 2 * frames_retrieved,
    )


def describe(size: Size, computer: str) -> str:
    """Return one line about a size.

    :param computer: label of the computer.
    """
    line = (
        f"about {in_words(size.frames + size.series)} stay on {computer} (frames {in_words(size.frames)}, time series "
        f"{in_words(size.series)}), {in_words(size.retrieved)} come back, {in_words(size.stored)} are stored here"
    )
    if max(size.frames + size.series, size.stored) > LARGE:
        return f"WARNING: {line}: raise frame_interval or series_interval, or lower retrieved_frames, for less"
    return line


def in_words(n_bytes: int) -> str:
    """Return a number of bytes as people say it."""
    value, unit = float(n_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.3g} {unit}"

"""Which frames are trained on, validated with and tested on.

Frames of a trajectory that follow each other are nearly the same. A model that has seen one of them knows the others,
so that they stay on one side: as a block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase.geometry import find_mic
from numpy.typing import NDArray

from aiida_crucible.analysis.datasets.frames import SPLITS, LabelledFrames

Whole = NDArray[np.int64]

ALIKE = 0.5
"""Of the typical distance between frames of a series: one that is nearer to the frame before goes on its block, as long
as it is nearer to the first of the block than frames typically are to each other."""

PAIRS = 200
"""Of frames drawn for that distance."""

FEWEST_FRAMES = 2
TRAINING, VALIDATION, TEST = range(len(SPLITS))


def blocks_of(frames: LabelledFrames, settings: Mapping[str, Any], duplicates: Sequence[tuple[int, int]] = ()) -> Whole:
    """Return the number of each frame's block, from 0, shape [n].

    A series is frames of the same atoms, file and source, in their order. Where no ``block_length`` is given, a frame
    goes on the block of the one before if their distance (root mean square over atoms, by minimum image, without the
    mean shift, Å) is less than half that of frames drawn from the whole series, and its distance to the first of the
    block is less than that: what moves slowly is cut where it is no longer what it was.

    :param settings: complete, see :data:`aiida_crucible.analysis.datasets.settings.SPLIT`.
    :param duplicates: pairs of frames that are the same, which are of one block.
    """
    blocks = np.empty(len(frames), dtype=np.int64)
    count = 0
    for series in _series(frames):
        own = _numbered(frames, series, settings["block_length"])
        blocks[series] = own + count
        count += int(own.max()) + 1
    for first, second in duplicates:
        blocks[blocks == blocks[second]] = blocks[first]
    return np.unique(blocks, return_inverse=True)[1].astype(np.int64)


def split_frames(frames: LabelledFrames, blocks: Whole, sources: Sequence[str], settings: Mapping[str, Any]) -> Whole:
    """Return the side of each frame, a number of :data:`SPLITS`, shape [n].

    :param blocks: see :func:`blocks_of`.
    :param sources: names of the sources, by their numbers.
    :param settings: complete, see :data:`aiida_crucible.analysis.datasets.settings.SPLIT`.
    :raises ValueError: one line, if nothing is left to train on or to validate with.
    """
    if len(frames) < FEWEST_FRAMES:
        raise ValueError(
            f"the dataset has {len(frames)} frame: training needs one and validation another; give more frames"
        )
    sides = _drawn(blocks, settings) if settings["split"] == "random" else _named(frames, sources, settings)
    for side, name in ((TRAINING, "train on"), (VALIDATION, "validate with")):
        if not (sides == side).any():
            raise ValueError(f"the split leaves no frame to {name} ({_why(blocks, settings)})")
    return sides


def _series(frames: LabelledFrames) -> list[Whole]:
    """Return the frames of each series, in their order."""
    ends = frames.ends
    found: dict[tuple[int, int, bytes], list[int]] = {}
    for index in range(len(frames)):
        numbers = frames.numbers[ends[index] : ends[index + 1]]
        key = (int(frames.files[index]), int(frames.sources[index]), numbers.tobytes())
        found.setdefault(key, []).append(index)
    return [np.array(sorted(series, key=lambda index: frames.places[index])) for series in found.values()]


def _numbered(frames: LabelledFrames, series: Whole, length: int | None) -> Whole:
    if length is not None:
        return np.arange(len(series)) // length
    if len(series) < FEWEST_FRAMES:
        return np.zeros(len(series), dtype=np.int64)
    generator = np.random.default_rng(0)
    drawn = generator.integers(len(series), size=(PAIRS, 2))
    typical = float(np.median([_distance(frames, *series[pair]) for pair in drawn if pair[0] != pair[1]] or [0.0]))
    blocks, first = [0], 0
    for index in range(1, len(series)):
        goes_on = _distance(frames, *series[index - 1 : index + 1]) < ALIKE * typical
        goes_on = goes_on and _distance(frames, series[first], series[index]) < typical
        first = first if goes_on else index
        blocks.append(blocks[-1] + (not goes_on))
    return np.array(blocks, dtype=np.int64)


def _distance(frames: LabelledFrames, first: int, second: int) -> float:
    """Return how far the atoms of two frames are from each other, Å: root mean square, beside a shift of all."""
    ends = frames.ends
    one, other = (frames.positions[ends[index] : ends[index + 1]] for index in (first, second))
    cell = (frames.cells[first] + frames.cells[second]) / 2
    pbc = frames.pbc[first]
    if pbc.any():
        scaled = [
            positions @ np.linalg.pinv(frames.cells[index]) @ cell if pbc.all() else positions
            for positions, index in ((one, first), (other, second))
        ]
        vectors = find_mic(scaled[1] - scaled[0], cell, pbc)[0]
    else:
        vectors = other - one
    vectors = vectors - vectors.mean(axis=0)
    return float(np.sqrt((vectors**2).sum(axis=1).mean()))


def _drawn(blocks: Whole, settings: Mapping[str, Any]) -> Whole:
    """Return sides, whole blocks of which are drawn until their shares are reached."""
    sizes = np.bincount(blocks)
    order = np.random.default_rng(settings["seed"]).permutation(len(sizes))
    of_block = np.full(len(sizes), TRAINING)
    wanted = {side: settings[name] * len(blocks) for side, name in ((VALIDATION, "validation"), (TEST, "test"))}
    left = list(order)
    for side, share in wanted.items():
        taken = 0.0
        # Rounded to whole blocks, but a side that is asked for gets one; the last block is left to train on.
        while left[1:] and share and (not taken or taken + sizes[left[0]] / 2 <= share):
            block = left.pop(0)
            of_block[block] = side
            taken += sizes[block]
    return of_block[blocks]


def _named(frames: LabelledFrames, sources: Sequence[str], settings: Mapping[str, Any]) -> Whole:
    """Return sides by what is named for validation and test."""
    by_source = settings["split"] == "source"
    known: list[Any] = list(sources) if by_source else sorted(set(frames.temperatures[~np.isnan(frames.temperatures)]))
    sides = np.full(len(frames), TRAINING)
    for side, name in ((VALIDATION, "validation_of"), (TEST, "test_of")):
        for value in settings[name] or ():
            if value not in known:
                there = ", ".join(str(each) for each in known if each != "")
                choice = f"choose of {there}" if there else "its frames tell none, leave it out"
                raise ValueError(f"{name} has {value!r}, and no frame is of that {settings['split']}: {choice}")
            chosen = frames.sources == known.index(value) if by_source else frames.temperatures == value
            sides[chosen] = side
    return sides


def _why(blocks: Whole, settings: Mapping[str, Any]) -> str:
    if settings["split"] != "random":
        return f"all {settings['split']}s are named for other sides: name fewer"
    count = int(blocks.max()) + 1
    return (
        f"its {len(blocks)} frames are {count} block{'s' if count > 1 else ''} of frames that resemble each other or "
        "are the same: give more frames, or block_length to cut them"
    )

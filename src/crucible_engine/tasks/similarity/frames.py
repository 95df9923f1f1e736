"""The frames of a job: whose they are, whether they may be compared, and which are chosen to stand for a trajectory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.formula import Formula
from numpy.typing import NDArray

from crucible_engine.tasks.similarity.plan import FLOAT, MIB
from crucible_engine.wire.schema import Condition, EngineError, sampler_of
from crucible_engine.wire.structures import are_same, read_structures

Indices = NDArray[np.intp]

Floats = NDArray[np.float64]


def by_stride(n_frames: int, wanted: int) -> Indices:
    """Return the indices of frames that are evenly spaced from the first on, [at most wanted]."""
    count = min(n_frames, wanted)
    return np.arange(count, dtype=np.intp) * n_frames // count


def by_random_draw(n_frames: int, wanted: int, seed: tuple[int, ...]) -> Indices:
    """Return the indices of frames drawn without replacement, in order, [at most wanted].

    :param seed: of ``numpy.random.default_rng``.
    """
    drawn = np.random.default_rng(seed).choice(n_frames, size=min(n_frames, wanted), replace=False)
    return np.sort(drawn).astype(np.intp)


def by_farthest_point(points: NDArray[np.float64], wanted: int) -> Indices:
    """Return the indices of frames each of which is the farthest from those before, in that order, [at most wanted].

    The first is the frame nearest to the mean of all; of equally far ones the earliest is taken. The frames cover the
    extent of a trajectory and not its density: an overlap of samplers says little of them.

    Eldar, Lindenbaum, Porat, Zeevi, IEEE Trans. Image Process. 6, 1305 (1997).

    :param points: one for each frame, [n_frames, n_features]: here the mean of its atoms' descriptors, whose products
        are the average kernel, the limit of REMatch for large alpha.
    """
    centred = points - points.mean(axis=0)
    chosen = [int(np.argmin(np.einsum("ij,ij->i", centred, centred)))]
    nearest = _squared_distances(points, chosen[0])
    while len(chosen) < min(len(points), wanted):
        nearest[chosen[-1]] = -1.0  # not again, also where others are equal to it
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, _squared_distances(points, chosen[-1]))
    return np.array(chosen, dtype=np.intp)


def _squared_distances(points: NDArray[np.float64], index: int) -> NDArray[np.float64]:
    difference = points - points[index]
    return np.asarray(np.einsum("ij,ij->i", difference, difference))


@dataclass
class Samplers:
    """What is known of a job's frames before any of them is described.

    :ivar counts: frames of each sampler, in the order of the file.
    :ivar species: chemical symbols that occur.
    """

    counts: dict[str, int] = field(default_factory=dict)
    species: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Chosen:
    """The frames that are compared, sampler by sampler.

    :param samplers: the sampler of each, [n].
    :param indices: the place of each in its sampler, [n].
    """

    frames: list[Atoms]
    samplers: list[str]
    indices: NDArray[np.int64]


def survey_samplers(path: Path, mixed_compositions: bool) -> Samplers:
    """Return whose frames a file holds.

    :param mixed_compositions: whether frames may differ in their composition.
    :raises EngineError: ``INVALID_STRUCTURE``, naming the first frame of another composition than the first one.
    """
    found, expected = Samplers(), ""
    for label, atoms in read_structures(path):
        sampler = sampler_of(label)
        found.counts[sampler] = found.counts.get(sampler, 0) + 1
        found.species.update(atoms.get_chemical_symbols())
        formula = reduced_formula(atoms)
        expected = expected or formula
        if formula != expected and not mixed_compositions:
            raise EngineError(
                Condition.INVALID_STRUCTURE,
                f"frame {label!r} is {formula}, but the first one is {expected}: give frames of one composition, "
                "or set mixed_compositions to true",
            )
    return found


def reduced_formula(atoms: Atoms) -> str:
    """Return the composition, in the smallest whole numbers, whatever the order of the atoms."""
    counts = atoms.symbols.formula.count()
    divisor = math.gcd(*counts.values())
    return str(Formula.from_dict({symbol: counts[symbol] // divisor for symbol in sorted(counts)}))


def choose(
    path: Path, found: Samplers, parameters: dict[str, Any], mean_descriptor: Callable[[Atoms], Floats]
) -> Chosen:
    """Return the frames to compare.

    :param mean_descriptor: returns the mean of the descriptors of a frame's atoms, [n_features].
    :raises EngineError: ``INVALID_JOB``, if there are less than two, or too many for the farthest-point sampling;
        ``INVALID_STRUCTURE``, if all are the same.
    """
    indices = _indices(path, found, parameters, mean_descriptor)
    n_frames = sum(map(len, indices.values()))
    if n_frames < 2:
        raise EngineError(Condition.INVALID_JOB, f"there is {n_frames} frame to compare: give at least two")
    by_place: dict[tuple[str, int], Atoms] = {}
    wanted = {sampler: set(map(int, places)) for sampler, places in indices.items()}
    for sampler, place, atoms in _frames(path):
        if place in wanted[sampler]:
            by_place[sampler, place] = atoms
    keys = [(sampler, int(place)) for sampler, places in indices.items() for place in places]
    frames = [by_place[key] for key in keys]
    if all(are_same(frames[0], frame) for frame in frames[1:]):
        raise EngineError(
            Condition.INVALID_STRUCTURE,
            f"all {n_frames} frames are the same: there is no map of them; give frames that differ",
        )
    return Chosen(frames, [key[0] for key in keys], np.array([key[1] for key in keys]))


def _indices(
    path: Path, found: Samplers, parameters: dict[str, Any], mean_descriptor: Callable[[Atoms], Floats]
) -> dict[str, NDArray[np.intp]]:
    """Return the places of the chosen frames in each sampler."""
    wanted, seed = parameters["frames"], parameters["seed"]
    if parameters["choice"] == "stride":
        return {sampler: by_stride(count, wanted) for sampler, count in found.counts.items()}
    if parameters["choice"] == "random":
        return {
            sampler: by_random_draw(count, wanted, (seed, order))
            for order, (sampler, count) in enumerate(found.counts.items())
        }
    points = _points(path, found, parameters["memory"], mean_descriptor)
    return {sampler: by_farthest_point(rows, wanted) for sampler, rows in points.items()}


def _points(path: Path, found: Samplers, memory: int, mean_descriptor: Callable[[Atoms], Floats]) -> dict[str, Floats]:
    """Return the mean descriptors of all frames, by sampler."""
    points: dict[str, Floats] = {}
    for sampler, place, atoms in _frames(path):
        point = mean_descriptor(atoms)
        if not points:
            # Differences to a point are another such array.
            needed = -(-2 * sum(found.counts.values()) * len(point) * FLOAT // MIB)
            if needed > memory:
                raise EngineError(
                    Condition.INVALID_JOB,
                    f"memory is {memory} MiB, but to choose the farthest of {sum(found.counts.values())} frames takes "
                    f"{needed}: raise it, or choose by stride or random draw",
                )
        if sampler not in points:
            points[sampler] = np.empty((found.counts[sampler], len(point)))
        points[sampler][place] = point
    return points


def _frames(path: Path) -> Iterator[tuple[str, int, Atoms]]:
    """Yield the sampler of each frame, its place there, and the frame."""
    seen: dict[str, int] = {}
    for label, atoms in read_structures(path):
        sampler = sampler_of(label)
        place = seen.get(sampler, 0)
        seen[sampler] = place + 1
        yield sampler, place, atoms

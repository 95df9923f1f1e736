"""Which frames of a trajectory stand for it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]


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
    distances: NDArray[np.float64] = np.einsum("ij,ij->i", difference, difference)
    return distances

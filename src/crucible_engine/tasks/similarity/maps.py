"""What a kernel says of its frames: a map of them, and how much two samplers overlap in configuration space."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crucible_engine.tasks.similarity.rematch import Floats
from crucible_engine.wire.schema import Condition, EngineError

LEAST_SPREAD = 1e-12
"""Largest eigenvalue of the centred kernel, for each frame, below which all frames are alike."""

Bools = NDArray[np.bool_]

TIE = 1e-12
"""Distances that differ by less, in units of the largest k_ii, are the same but for rounding."""


@dataclass(frozen=True)
class Map:
    """Where each frame is.

    :param coordinates: [n_frames, n_components]; their squares sum up to the variances.
    :param variances: eigenvalues of the centred kernel that belong to them, largest first, [n_components].
    :param explained: share of each of the sum of all positive eigenvalues, [n_components].
    """

    coordinates: Floats
    variances: Floats
    explained: Floats


def kernel_map(kernel: Floats, n_components: int) -> Map:
    """Return the kernel principal components of frames (scikit-learn's ``KernelPCA`` with a precomputed kernel).

    Schölkopf, Smola, Müller, Neural Comput. 10, 1299 (1998), doi 10.1162/089976698300017467. Signs are scikit-learn's.

    :param kernel: normalised, [n_frames, n_frames].
    :param n_components: at most the number of frames minus 1; there are fewer where no more are positive.
    :raises EngineError: ``INVALID_STRUCTURE``, if the kernel is constant: there is no map of frames that are alike.
    """
    from sklearn.decomposition import KernelPCA

    centred = kernel - kernel.mean(axis=0)[None, :] - kernel.mean(axis=1)[:, None] + kernel.mean()
    eigenvalues = np.linalg.eigvalsh(centred)
    if eigenvalues[-1] < LEAST_SPREAD * len(kernel):
        raise EngineError(
            Condition.INVALID_STRUCTURE,
            f"all {len(kernel)} frames are alike (their kernel is constant within {LEAST_SPREAD:g}): there is no map "
            "of them; give frames that differ",
        )
    model = KernelPCA(n_components=n_components, kernel="precomputed", eigen_solver="dense", remove_zero_eig=True)
    coordinates = np.asarray(model.fit_transform(kernel), dtype=np.float64)
    variances = np.asarray(model.eigenvalues_, dtype=np.float64)
    return Map(coordinates, variances, variances / eigenvalues[eigenvalues > 0.0].sum())


@dataclass(frozen=True)
class Overlap:
    """What is said of two samplers.

    :param overlap: 1 if the frames of both are mixed as if drawn from one distribution, 0 if every frame's neighbours
        are of its own sampler; chance carries it beyond 1.
    :param spread: standard deviation of the overlap where labels are drawn at random: what is nearer to 1 than this is
        not told from 1.
    :param neighbours: how many neighbours of each frame were looked at.
    :param mean_discrepancy: squared maximum mean discrepancy, unbiased; 0 for equal distributions.
    """

    overlap: float
    spread: float
    neighbours: int
    mean_discrepancy: float


def overlap_of(kernel: Floats, is_first: Bools, seed: int, permutations: int = 200) -> Overlap:
    """Return how much two samplers overlap.

    The overlap counts, over all frames and their k nearest neighbours, those that are of the other sampler, in units of
    what is expected if labels mean nothing: (1 - T) / (1 - T0), with T the share of neighbours of the same sampler and
    T0 = Σ_s n_s (n_s - 1) / (N (N - 1)). T is Schilling's statistic (J. Am. Stat. Assoc. 81, 799 (1986), doi
    10.1080/01621459.1986.10478337); neighbours are those of the kernel distance k_ii + k_jj - 2 k_ij, and k is the
    square root of N, rounded. Frames that follow each other too quickly in a trajectory are each other's neighbours and
    lower it. Of frames that are equally near and too many each counts in part, so that their order does not matter.

    :param kernel: between the frames of both, [n, n].
    :param is_first: which frames are the first one's, [n]; at least 2 of each.
    :param seed: of the random labels.
    :param permutations: how many random labellings give the spread.
    """
    n, n_first = len(kernel), int(is_first.sum())
    neighbours = max(1, round(math.sqrt(n)))
    expected = 1.0 - (n_first * (n_first - 1) + (n - n_first) * (n - n_first - 1)) / (n * (n - 1))
    rng = np.random.default_rng(seed)
    labels = np.array([is_first, *(rng.permutation(is_first) for _ in range(permutations))])
    signs = np.where(labels, 1.0, -1.0)
    products = np.einsum("pi,pi->p", signs @ _nearness(kernel, neighbours), signs)
    found, *random = (0.5 * (1.0 - products / (n * neighbours)) / expected).tolist()
    return Overlap(found, float(np.std(random)), neighbours, mean_discrepancy(kernel, is_first))


def mean_discrepancy(kernel: Floats, is_first: Bools) -> float:
    """Return the unbiased estimate of the squared maximum mean discrepancy of two samplers.

    Gretton, Borgwardt, Rasch, Schölkopf, Smola, J. Mach. Learn. Res. 13, 723 (2012), Eq. 3. It may be negative.
    """
    between = kernel[np.ix_(is_first, ~is_first)].mean()
    return _mean_off_diagonal(kernel, is_first) + _mean_off_diagonal(kernel, ~is_first) - 2.0 * float(between)


def _mean_off_diagonal(kernel: Floats, chosen: Bools) -> float:
    within, count = kernel[np.ix_(chosen, chosen)], int(chosen.sum())
    return float((within.sum() - np.trace(within)) / (count * (count - 1)))


def _nearness(kernel: Floats, count: int) -> Floats:
    """Return how much each frame (column) counts as a neighbour of each frame (row), [n, n].

    The nearest in the kernel distance count 1 up to a sum of ``count`` a row; those at the same distance as the last
    one share what is left.
    """
    diagonal = np.diagonal(kernel)
    distances = diagonal[:, None] + diagonal[None, :] - 2.0 * kernel
    np.fill_diagonal(distances, np.inf)
    last = np.partition(distances, count - 1, axis=1)[:, count - 1, None]
    tie = TIE * float(np.abs(diagonal).max())
    nearer = distances < last - tie
    level = ~nearer & (distances <= last + tie)
    remaining = count - nearer.sum(axis=1, keepdims=True)
    return np.asarray(nearer + level * (remaining / level.sum(axis=1, keepdims=True)))

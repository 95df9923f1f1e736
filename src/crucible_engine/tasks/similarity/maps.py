"""A map of frames: kernel principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crucible_engine.tasks.similarity.rematch import Floats
from crucible_engine.wire.schema import Condition, EngineError

LEAST_SPREAD = 1e-12
"""Largest eigenvalue of the centred kernel, for each frame, below which all frames are alike."""


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

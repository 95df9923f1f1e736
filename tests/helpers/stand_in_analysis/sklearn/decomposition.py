"""Kernel principal components of a precomputed kernel."""

import numpy as np


class KernelPCA:
    """As scikit-learn's, but for the signs."""

    def __init__(self, n_components, kernel, eigen_solver, remove_zero_eig):
        assert (kernel, eigen_solver, remove_zero_eig) == ("precomputed", "dense", True)
        self.n_components = n_components

    def fit_transform(self, kernel):
        """Return the coordinates."""
        centred = kernel - kernel.mean(0)[None] - kernel.mean(1)[:, None] + kernel.mean()
        values, vectors = np.linalg.eigh(centred)
        kept = [place for place in range(len(values))[::-1][: self.n_components] if values[place] > 0]
        self.eigenvalues_ = values[kept]
        return vectors[:, kept] * np.sqrt(self.eigenvalues_)

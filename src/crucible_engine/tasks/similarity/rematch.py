"""The regularised-entropy match (REMatch) of two sets of atomic environments, for many pairs at once.

De, Bartók, Csányi, Ceriotti, Phys. Chem. Chem. Phys. 18, 13754 (2016), doi 10.1039/c6cp00415f. The numbers are those of
dscribe 2.1's ``REMatchKernel``, so that kernels of both can be compared: the iteration begins with uniform vectors,
takes v before u, and asks whether it has converged only after iterations whose count, from 0, is not a multiple of 5;
it has no largest number of iterations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

UNTESTED_EVERY = 5
"""dscribe does not test convergence after iterations 0, 5, 10 …"""
ASKED_EVERY = 100
"""Iterations between two questions whether to stop."""


@dataclass
class _Pairs:
    """Pairs on their way to balance: K, C, u and v of each, its place in the batch, and whether it goes on."""

    weights: Floats
    local: Floats
    u: Floats
    v: Floats
    places: NDArray[np.intp]
    goes_on: Bools

    def contract(self, chosen: Bools) -> Floats:
        """Return Σ_ij u_i K_ij v_j C_ij of some pairs; where they are all that there are, K is not needed any more."""
        if chosen.all():
            products = np.multiply(self.weights, self.local, out=self.weights)
        else:
            products = self.weights[chosen] * self.local[chosen]
        rows = np.matmul(products, self.v[chosen][:, :, None])[:, :, 0]
        return np.asarray(np.einsum("pi,pi->p", self.u[chosen], rows))

    def drop_the_ended(self) -> None:
        """Forget the pairs that have ended, where that saves more than it costs."""
        if 2 * self.goes_on.sum() <= len(self.goes_on):
            kept = self.goes_on
            self.weights, self.local, self.places = self.weights[kept], self.local[kept], self.places[kept]
            self.u, self.v, self.goes_on = self.u[kept], self.v[kept], kept[kept]


class StoppedError(Exception):
    """A match was told to stop before it had converged."""


def match(local: Floats, alpha: float, threshold: float, is_stopped: Callable[[], bool] = lambda: False) -> Floats:
    """Return the similarity of each pair of structures, not normalised.

    Pairs are balanced together but each stops where it would alone, so that a similarity does not depend on what else
    is in the batch.

    :param local: similarities C of the pairs' environments, [n_pairs, n, m].
    :param alpha: regularisation; small values approach the best match, large ones the average kernel.
    :param threshold: largest error of the balancing vectors: the sum over both of the squared change in an iteration,
        in units of their squared norm.
    :param is_stopped: asked now and then: where alpha is small, some pairs take next to for ever.
    :return: Σ_ij u_i K_ij v_j C_ij with K = exp((C - 1) / alpha), [n_pairs]; NaN where K underflows to rows of zeros.
    :raises StoppedError: if it was told to stop.
    """
    n_pairs, n, m = local.shape
    similarities = np.empty(n_pairs)
    pairs = _Pairs(
        _weights(local, alpha),
        local,
        np.full((n_pairs, n), 1.0 / n),
        np.full((n_pairs, m), 1.0 / m),
        np.arange(n_pairs),
        np.ones(n_pairs, dtype=bool),
    )
    iteration = 0
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        while pairs.goes_on.any():
            u, v = pairs.u, pairs.v
            pairs.v = (1.0 / m) / np.matmul(u[:, None, :], pairs.weights)[:, 0, :]
            pairs.u = (1.0 / n) / np.matmul(pairs.weights, pairs.v[:, :, None])[:, :, 0]
            if iteration % UNTESTED_EVERY:
                # Written so that an error that is no number ends the iteration, as it does in dscribe.
                ended = pairs.goes_on & ~(_change(pairs.u, u) + _change(pairs.v, v) > threshold)
                if ended.any():
                    similarities[pairs.places[ended]] = pairs.contract(ended)
                    pairs.goes_on &= ~ended
                    pairs.drop_the_ended()
            iteration += 1
            if iteration % ASKED_EVERY == 0 and is_stopped():
                raise StoppedError
    return similarities


def _weights(local: Floats, alpha: float) -> Floats:
    """Return exp(-(1 - C) / alpha), rounded as dscribe rounds it."""
    weights = local - 1.0
    weights /= alpha
    return np.asarray(np.exp(weights, out=weights))


def _change(new: Floats, old: Floats) -> Floats:
    """Return the squared change of each pair's vector in units of its squared norm, [n_pairs]."""
    difference = new - old
    return np.asarray(np.einsum("pi,pi->p", difference, difference) / np.einsum("pi,pi->p", new, new))

"""The regularised-entropy match (REMatch) of two sets of atomic environments, for many pairs at once.

De, Bartók, Csányi, Ceriotti, Phys. Chem. Chem. Phys. 18, 13754 (2016), doi 10.1039/c6cp00415f. The numbers are those of
dscribe 2.1's ``REMatchKernel``, so that kernels of both can be compared: the iteration begins with uniform vectors,
takes v before u, and asks whether it has converged only after iterations whose count, from 0, is not a multiple of 5;
it has no largest number of iterations.

numpy and torch share what is written here: the namespace whose arrays are given is an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Array = Any
"""Of numpy or of torch."""

UNTESTED_EVERY = 5
"""dscribe does not test convergence after iterations 0, 5, 10 …"""
ASKED_EVERY = 100
"""Iterations between two questions whether to stop."""


@dataclass
class _Pairs:
    """Pairs on their way to balance: K, C, u and v of each, its place in the batch, and whether it goes on."""

    xp: Any
    weights: Array
    local: Array
    u: Array
    v: Array
    places: Array
    goes_on: Array

    def contract(self, chosen: Array) -> Array:
        """Return Σ_ij u_i K_ij v_j C_ij of some pairs; where they are all that there are, K is not needed any more."""
        if chosen.all():
            products = self.xp.multiply(self.weights, self.local, out=self.weights)
        else:
            products = self.weights[chosen] * self.local[chosen]
        rows = self.xp.matmul(products, self.v[chosen][:, :, None])[:, :, 0]
        return self.xp.einsum("pi,pi->p", self.u[chosen], rows)

    def drop_the_ended(self) -> None:
        """Forget the pairs that have ended, where that saves more than it costs."""
        if 2 * self.goes_on.sum() <= len(self.goes_on):
            kept = self.goes_on
            self.weights, self.local, self.places = self.weights[kept], self.local[kept], self.places[kept]
            self.u, self.v, self.goes_on = self.u[kept], self.v[kept], kept[kept]


def match(local: Array, alpha: float, threshold: float, pause: Callable[[], None] = lambda: None, xp: Any = np) -> Any:
    """Return the similarity of each pair of structures, not normalised.

    Pairs are balanced together but each stops where it would alone, so that a similarity does not depend on what else
    is in the batch.

    :param local: similarities C of the pairs' environments, [n_pairs, n, m].
    :param alpha: regularisation; small values approach the best match, large ones the average kernel.
    :param threshold: largest error of the balancing vectors: the sum over both of the squared change in an iteration,
        in units of their squared norm.
    :param pause: called now and then, and ends the match by what it raises: where alpha is small, some pairs take next
        to for ever.
    :param xp: ``numpy``, or ``torch`` for a tensor of any device.
    :return: Σ_ij u_i K_ij v_j C_ij with K = exp((C - 1) / alpha), [n_pairs]; NaN where K underflows to rows of zeros.
    """
    n_pairs, n, m = local.shape
    similarities = xp.empty_like(local[:, 0, 0])
    places = xp.arange(n_pairs, **({} if xp is np else {"device": local.device}))
    u, v = xp.full_like(local[:, :, 0], 1.0 / n), xp.full_like(local[:, 0, :], 1.0 / m)
    pairs = _Pairs(xp, _weights(local, alpha, xp), local, u, v, places, places >= 0)
    iteration = 0
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        while len(pairs.places):
            u, v = pairs.u, pairs.v
            pairs.v = (1.0 / m) / xp.matmul(u[:, None, :], pairs.weights)[:, 0, :]
            pairs.u = (1.0 / n) / xp.matmul(pairs.weights, pairs.v[:, :, None])[:, :, 0]
            if iteration % UNTESTED_EVERY:
                # Written so that an error that is no number ends the iteration, as it does in dscribe.
                ended = pairs.goes_on & ~(_change(pairs.u, u, xp) + _change(pairs.v, v, xp) > threshold)
                if ended.any():
                    similarities[pairs.places[ended]] = pairs.contract(ended)
                    pairs.goes_on &= ~ended
                    pairs.drop_the_ended()
            iteration += 1
            if iteration % ASKED_EVERY == 0:
                pause()
    return similarities


def _weights(local: Array, alpha: float, xp: Any) -> Array:
    """Return exp(-(1 - C) / alpha), rounded as dscribe rounds it."""
    weights = local - 1.0
    weights /= alpha
    return xp.exp(weights, out=weights)


def _change(new: Array, old: Array, xp: Any) -> Array:
    """Return the squared change of each pair's vector in units of its squared norm, [n_pairs]."""
    difference = new - old
    return xp.einsum("pi,pi->p", difference, difference) / xp.einsum("pi,pi->p", new, new)

"""Which mode of one crystal is which of another, and how far the phonons of a model are from those of a reference.

Modes correspond by their eigenvectors, where bands cross and their order says nothing. Equations of the errors are
those of Yang et al., Phys. Chem. Chem. Phys. 2026, 28, 4459, on the same wave vectors. Squared frequencies are signed:
those of imaginary modes are negative. Averages are over wave vectors with their weights, and over modes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from aiida_crucible.analysis.phonons.stability import signed_root

DEGENERACY = 1e-4
"""Distance of squared frequencies, relative to the largest, below which modes are degenerate: any mixture will do."""

ORDER_PREFERENCE = 1e-6
"""What a mode that is out of order by all modes costs, in overlaps: enough to keep the order among degenerate ones."""

Array = NDArray[np.float64]


def overlaps(
    reference_squares: NDArray[np.float64],
    reference_vectors: NDArray[np.complex128],
    squares: NDArray[np.float64],
    vectors: NDArray[np.complex128],
) -> NDArray[np.float64]:
    """Return how much of each mode of the reference is each of the other's, 0 to 1, shape [n_q, n_modes, n_modes].

    |⟨e_i|e_j⟩|² between modes that are not degenerate. The eigenvectors of degenerate ones are arbitrary, and so what
    counts is the space that they span: Σ |⟨e_k|e_l⟩|² over both groups, divided by the size of the smaller one.

    :param reference_squares: squared frequencies in ascending order, shape [n_q, n_modes].
    :param reference_vectors: eigenvectors as columns, shape [n_q, n_modes, n_modes].
    :param squares: of the other crystal at the same wave vectors.
    :param vectors: of the other crystal, atoms and axes as the reference has them.
    """
    products = np.abs(reference_vectors.conj().transpose(0, 2, 1) @ vectors) ** 2
    rows, columns = _groups(reference_squares), _groups(squares)
    row_sizes, column_sizes = rows.sum(axis=2), columns.sum(axis=2)
    sums = rows @ products @ columns
    return np.asarray(sums / np.minimum(row_sizes[:, :, None], column_sizes[:, None, :]))


def match_modes(overlap: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return for each mode of the reference the other's that it corresponds to, shape [n_q, n_modes].

    At each wave vector the one-to-one assignment of the largest total overlap (the Hungarian algorithm).
    """
    n_modes = overlap.shape[1]
    steps = np.abs(np.subtract.outer(np.arange(n_modes), np.arange(n_modes)))
    return np.array([linear_sum_assignment(ORDER_PREFERENCE / n_modes * steps - one)[1] for one in overlap])


def _groups(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 where two modes belong to the same chain of near neighbours, shape [n_q, n_modes, n_modes]."""
    scale = max(float(np.abs(squares).max()), np.finfo(float).tiny)
    gaps = np.diff(squares, axis=1, prepend=squares[:, :1]) > DEGENERACY * scale
    labels = np.cumsum(gaps, axis=1)
    return np.asarray(labels[:, :, None] == labels[:, None, :], dtype=float)


@dataclass(frozen=True)
class SpectrumErrors:
    """The errors of a spectrum, each over all modes, by band and by wave vector."""

    printed: Errors
    """√⟨|Δω²|⟩, THz: Eq. 2 as printed, whose norm is not squared."""
    squares: Errors
    """√⟨(Δω²)²⟩, THz²: the root mean square error of ω²."""
    frequencies: Errors
    """√⟨(Δω)²⟩, THz, imaginary frequencies negative."""
    velocities: Errors
    """√⟨|Δv|²⟩, Å THz: Eq. 3."""


@dataclass(frozen=True)
class Errors:
    """Root mean errors: over all, by band, shape [n_modes], and by wave vector, shape [n_q]."""

    overall: float
    by_band: Array
    by_qpoint: Array


def spectrum_errors(
    reference_squares: Array, squares: Array, reference_velocities: Array, velocities: Array, weights: Array
) -> SpectrumErrors:
    """Return the errors of modes that are already in corresponding order.

    :param reference_squares: signed squared frequencies, THz², shape [n_q, n_modes].
    :param squares: of the model.
    :param reference_velocities: group velocities, Å THz, shape [n_q, n_modes, 3].
    :param velocities: of the model.
    :param weights: of the wave vectors, shape [n_q].
    """
    difference = squares - reference_squares
    shift = signed_root(squares) - signed_root(reference_squares)
    drift = velocities - reference_velocities
    return SpectrumErrors(
        printed=_errors(np.abs(difference), weights),
        squares=_errors(difference**2, weights),
        frequencies=_errors(shift**2, weights),
        velocities=_errors((drift**2).sum(axis=2), weights),
    )


def _errors(values: Array, weights: Array) -> Errors:
    """Return roots of the weighted means of values, shape [n_q, n_modes]."""
    by_band = np.average(values, axis=0, weights=weights)
    return Errors(float(np.sqrt(by_band.mean())), np.sqrt(by_band), np.sqrt(values.mean(axis=1)))

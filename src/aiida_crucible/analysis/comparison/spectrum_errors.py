"""How far the phonons of a model are from those of a reference, on the same wave vectors.

Equations are those of Yang et al., Phys. Chem. Chem. Phys. 2026, 28, 4459. Squared frequencies are signed: those of
imaginary modes are negative. Averages are over wave vectors with their weights, and over modes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.analysis.phonons.stability import signed_root

Array = NDArray[np.float64]


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

"""How far atoms wander: mean square displacement against lag, diffusion coefficient, Lindemann index."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.neighbours import nearest_distances

CHUNK = 2_000_000
"""Coordinates that are transformed at once (32 MB of complex numbers twice as long)."""

FIT_WINDOW = (0.1, 0.5)
"""Part of the lags of a segment over which a slope is read: behind the vibrations, before lags with few pairs."""

SEGMENTS = 5
"""Parts of a run that each give a diffusion coefficient; their scatter is its error."""


@dataclass(frozen=True)
class DiffusionCoefficient:
    """A self-diffusion coefficient, Å²/fs (1 Å²/fs = 0.1 cm²/s)."""

    value: float
    standard_error: float


def mean_square_displacements(paths: NDArray[np.float64], symbols: list[str]) -> dict[str, NDArray[np.float64]]:
    """Return the mean square displacement of each species against lag, Å², shape [n_frames].

    Over all pairs of frames a lag apart and all atoms of the species, by Fourier transforms (Calandrini, Pellegrini,
    Calligari, Hinsen and Kneller, Collection SFN 2011, 12, 201, section 4.2).

    :param paths: of the atoms, equally spaced in time, see
        :func:`aiida_crucible.analysis.crystal.displacements.unwrapped_displacements`, Å, shape [n_frames, n_atoms, 3].
    """
    labels = np.array(symbols)
    return {symbol: _mean_square(paths[:, labels == symbol]) for symbol in dict.fromkeys(symbols)}


def diffusion_coefficients(
    paths: NDArray[np.float64], symbols: list[str], interval: float
) -> dict[str, DiffusionCoefficient]:
    """Return the self-diffusion coefficient of each species: a sixth of the slope of its mean square displacement.

    The run is cut into five segments; the value is the mean of theirs and the error that of the mean. In a solid it is
    zero within its error.

    :param paths: see :func:`mean_square_displacements`.
    :param interval: between frames, fs.
    :raises ValueError: one line, if there are fewer than 100 frames.
    """
    if len(paths) < 20 * SEGMENTS:
        raise ValueError(f"{len(paths)} frames: a diffusion coefficient with an error needs {20 * SEGMENTS}")
    length = len(paths) // SEGMENTS
    lags = np.arange(round(FIT_WINDOW[0] * length), round(FIT_WINDOW[1] * length) + 1)
    labels = np.array(symbols)
    result = {}
    for symbol in dict.fromkeys(symbols):
        own = paths[:, labels == symbol]
        slopes = [
            np.polynomial.polynomial.polyfit(lags * interval, _mean_square(own[start : start + length])[lags], 1)[1]
            for start in range(0, SEGMENTS * length, length)
        ]
        error = float(np.std(slopes, ddof=1)) / sqrt(SEGMENTS)
        result[symbol] = DiffusionCoefficient(float(np.mean(slopes)) / 6, error / 6)
    return result


def lindemann_indices(mean_square_displacements: NDArray[np.floating], mean_structure: Atoms) -> dict[str, float]:
    """Return √⟨|u|²⟩ over the distance to the nearest neighbour, for each species (Lindemann, Phys. Z. 1910, 11, 609).

    A crystal melts at about 0.1 to 0.15 (Gilvarry, Phys. Rev. 1956, 102, 308).

    :param mean_square_displacements: around the mean places, along each axis, Å², shape [n_atoms, 3].
    :param mean_structure: the mean places, from which the distances are taken; a molten mean structure has atoms on top
        of each other, so give the starting one there.
    :raises ValueError: one line, if shapes do not fit or atoms lie on top of each other.
    """
    squares = np.asarray(mean_square_displacements, dtype=float)
    if squares.shape != (len(mean_structure), 3):
        raise ValueError(f"mean square displacements of shape {squares.shape}: give ({len(mean_structure)}, 3)")
    distances = nearest_distances(mean_structure)
    if distances.min() < 0.1:
        raise ValueError("atoms of the mean structure lie on top of each other: give the starting structure instead")
    symbols = np.array(mean_structure.get_chemical_symbols())
    return {
        str(symbol): sqrt(float(squares[symbols == symbol].sum(axis=1).mean()))
        / float(distances[symbols == symbol].mean())
        for symbol in dict.fromkeys(mean_structure.get_chemical_symbols())
    }


def _mean_square(paths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean square displacement over atoms against lag, shape [n_frames]."""
    n_frames, n_atoms, _ = paths.shape
    sums = np.zeros(n_frames)
    width = max(1, CHUNK // (6 * n_frames))
    for start in range(0, n_atoms, width):
        part = paths[:, start : start + width].reshape(n_frames, -1)
        # A common offset changes no displacement, and without one the two big terms cancel with fewer digits lost.
        part = part - part.mean(axis=0)
        sums += _squares_at_ends(part) - 2 * _correlation(part)
    return np.asarray(sums / (n_atoms * np.arange(n_frames, 0, -1)))


def _correlation(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Σ_k r(k)·r(k+lag) summed over columns."""
    n = len(part)
    transform = np.fft.rfft(part, n=2 * n, axis=0)
    return np.asarray(np.fft.irfft((np.abs(transform) ** 2).sum(axis=1), n=2 * n)[:n])


def _squares_at_ends(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Σ_k (|r(k)|² + |r(k+lag)|²) summed over columns."""
    squares = (part**2).sum(axis=1)
    total = np.cumsum(squares)
    from_start = total[::-1]
    to_end = total[-1] - np.concatenate([[0.0], total[:-1]])
    return np.asarray(from_start + to_end)

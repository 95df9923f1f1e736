"""The anharmonicity score by vibrational mode of a supercell.

Mass-weighted forces are projected on the eigenvectors of the supercell's dynamical matrix, f_s = Σ e_s F / √m
(FHI-vibes, ``get_sigma_mode``). Their squares add up to the mass-weighted square of all forces, Σ F² / m, so that

- ``shares`` add up to the square of the *mass-weighted* score, and the ratio within one mode is that mode's score;
- ``contributions``, f_s times the projection of √m F, add up to the square of the score of Eq. 1, in which each mode
  counts as heavy as its atoms (a single one may be slightly negative). With equal masses the two are the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from ase import units
from numpy.typing import NDArray

from aiida_crucible.analysis.phonons.spectra import RELATIVE_ROUNDING, clear_rounding
from aiida_crucible.analysis.phonons.stability import signed_root

TERAHERTZ = float(np.sqrt(units._e * 1e20 / units._amu) / (2 * np.pi * 1e12))
"""THz of 1 √(eV/Å²/u)."""

MOST_ATOMS = 1500
"""Atoms of a supercell beyond which diagonalising its dynamical matrix costs minutes and gigabytes."""

DEGENERACY = 1e-6
"""Relative difference of ω² below which modes are the same: which mixture of them an eigensolver gives is chance."""

ACOUSTIC_SHARE = 0.5
"""Share of a mode that must be a uniform translation for it to count as one."""


@dataclass(frozen=True)
class ModeBasis:
    """The modes of a supercell.

    :param frequencies: THz, imaginary ones negative, ascending, shape [n_modes].
    :param eigenvectors: one in a column, shape [3 n_atoms, n_modes].
    :param translations: whether a mode is a uniform translation, which feels no force, shape [n_modes].
    :param root_masses: √m of each coordinate, √u, shape [3 n_atoms].
    :param multiplets: number of the multiplet of degenerate modes that each belongs to, shape [n_modes].
    """

    frequencies: NDArray[np.float64]
    eigenvectors: NDArray[np.float64]
    translations: NDArray[np.bool_]
    root_masses: NDArray[np.float64]
    multiplets: NDArray[np.int64]


@dataclass(frozen=True)
class ModeScores:
    """Scores by mode; degenerate modes share theirs equally. Shape [n_modes] each.

    :param scores: σ_s = √(⟨f^A_s²⟩ / ⟨f_s²⟩); not a number for translations.
    :param shares: add up to the square of the mass-weighted score.
    :param contributions: add up to the square of the pooled score.
    """

    scores: NDArray[np.float64]
    shares: NDArray[np.float64]
    contributions: NDArray[np.float64]

    @property
    def mass_weighted(self) -> float:
        """The score of mass-weighted forces, √(Σ ⟨f^A_s²⟩ / Σ ⟨f_s²⟩)."""
        return float(np.sqrt(self.shares.sum()))


def mode_basis(force_constants: NDArray[np.float64], masses: NDArray[np.float64]) -> ModeBasis:
    """Return the modes of a supercell, those at all wave vectors that fit into it.

    :param force_constants: eV/Å², shape [3 n_atoms, 3 n_atoms].
    :param masses: u, shape [n_atoms].
    """
    roots = np.repeat(np.sqrt(masses), 3)
    dynamical = (force_constants + force_constants.T) / 2 / np.outer(roots, roots)
    squares, vectors = np.linalg.eigh(dynamical)
    uniform = np.zeros((len(roots), 3))
    for axis in range(3):
        uniform[axis::3, axis] = roots[axis::3]
    uniform /= np.linalg.norm(uniform, axis=0)
    translations = ((uniform.T @ vectors) ** 2).sum(axis=0) > ACOUSTIC_SHARE
    gaps = np.diff(squares, prepend=squares[0]) > DEGENERACY * np.abs(squares).max()
    frequencies = signed_root(clear_rounding(squares, RELATIVE_ROUNDING * np.abs(squares).max())) * TERAHERTZ
    return ModeBasis(frequencies, vectors, translations, roots, np.cumsum(gaps))


def mode_scores(parts: Iterable[tuple[NDArray[np.float64], NDArray[np.float64]]], basis: ModeBasis) -> ModeScores:
    """Return the scores by mode of all frames together.

    :param parts: forces and anharmonic forces of some frames after the other, eV/Å, shape [n, 3 n_atoms] each.
    """
    lowered, raised = basis.eigenvectors / basis.root_masses[:, None], basis.eigenvectors * basis.root_masses[:, None]
    sums = np.zeros((3, len(basis.frequencies)))
    total = 0.0
    for forces, anharmonic_forces in parts:
        projected = anharmonic_forces @ lowered
        sums[0] += (projected**2).sum(axis=0)
        sums[1] += ((forces @ lowered) ** 2).sum(axis=0)
        sums[2] += (projected * (anharmonic_forces @ raised)).sum(axis=0)
        total += float((forces**2).sum())
    sizes = np.bincount(basis.multiplets)
    shared = np.array([np.bincount(basis.multiplets, row)[basis.multiplets] for row in sums])
    anharmonic, weighted, contributions = shared / sizes[basis.multiplets]
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = np.sqrt(anharmonic / weighted)
        scores[basis.translations] = np.nan
        return ModeScores(scores, anharmonic / sums[1].sum(), contributions / total)

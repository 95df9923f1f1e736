"""Synthetic trajectories with known answers: lead titanate whose atoms vibrate, drift and wrap."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from perovskite import POLAR

CUBIC = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]


def cubic(length: float = 3.95) -> Atoms:
    """Return cubic PbTiO3, its atoms in the order of the polar cell."""
    return Atoms("PbTiO3", scaled_positions=CUBIC, cell=[length] * 3, pbc=True)


def polar(a: float = 3.90, c: float = 4.15) -> Atoms:
    """Return the P4mm cell in the experimental lattice of room temperature."""
    return Atoms("PbTiO3", scaled_positions=POLAR, cell=[a, a, c], pbc=True)


def shuffled(atoms: Atoms, seed: int = 0) -> Atoms:
    """Return the same structure with its atoms in another order."""
    return atoms[np.random.default_rng(seed).permutation(len(atoms))]


def vibrating(atoms: Atoms, n_frames: int, amplitude: float, seed: int = 0) -> np.ndarray:
    """Return independent frames of Einstein oscillators, ``amplitude`` Å along each axis, [n_frames, n_atoms, 3]."""
    rng = np.random.default_rng(seed)
    return atoms.positions + rng.normal(0, amplitude, (n_frames, len(atoms), 3))


def rotation(seed: int = 0) -> np.ndarray:
    """Return a proper rotation matrix, to be applied to rows from the right."""
    matrix, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))
    return matrix * np.sign(np.linalg.det(matrix))

"""Lead titanate: the starting cell of the published benchmark and rattled supercells of it."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from rounding_noise import disturbed

POLAR = [[0, 0, 0.0943], [0.5, 0.5, 0.5560], [0.5, 0.5, 0.9785], [0.5, 0, 0.4733], [0, 0.5, 0.4733]]


def tetragonal() -> Atoms:
    """Return the tetragonal cell (PBEsol) of Li et al., J. Phys. Chem. C 2025, 10.1021/acs.jpcc.5c07541."""
    return disturbed(Atoms("PbTiO3", scaled_positions=POLAR, cell=[3.87411, 3.87411, 4.19948], pbc=True))


def rattled(count: int, repeat: int, seed: int = 0) -> dict[str, Atoms]:
    """Return supercells with displaced atoms, by label."""
    rng = np.random.default_rng(seed)
    frames = {}
    for index in range(count):
        atoms = tetragonal() * (repeat, repeat, repeat)
        atoms.positions += rng.normal(0, 0.02, atoms.positions.shape)
        frames[f"frame-{index}"] = atoms
    return frames

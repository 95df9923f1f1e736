"""Crystals whose anharmonicity is known: springs, and pairs of atoms that a quartic potential holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms, units
from ase.build import make_supercell
from rounding_noise import disturbed
from scipy.integrate import quad
from spring_crystal import SpringCrystal

from aiida_crucible.analysis.anharmonicity.force_runs import ForceRun
from aiida_crucible.analysis.phonons.force_constants import build_phonopy, plan_displacements, solve_force_constants
from aiida_crucible.analysis.phonons.lattice_force_constants import LatticeForceConstants, lattice_force_constants


def three_springs() -> SpringCrystal:
    """Return copper and gold in turn along x, with other springs along each axis."""
    return SpringCrystal([[3.0, 0.9, 0.7], [0.8, 2.5, 0.6], [0.5, 0.4, 2.1]], "CuAu", [3.0, 3.2, 3.5])


def compact(crystal: SpringCrystal, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return compact force constants of a supercell with its matrix and that of the primitive cell, as phonopy does."""
    phonon = build_phonopy(crystal.atoms, np.array(matrix))
    plan = plan_displacements(phonon, [0.01], "always")
    ideal, *displaced = plan.structures()
    forces = np.array([crystal.forces(ideal, atoms) for atoms in displaced[: len(plan.sets[0])]])
    values = solve_force_constants(phonon, plan.sets[0], forces).values
    return values, np.array(phonon.supercell_matrix), np.array(phonon.primitive_matrix)


def force_constants(crystal: SpringCrystal, matrix: np.ndarray) -> LatticeForceConstants:
    """Return the force constants that finite displacements in a supercell give."""
    values, supercell_matrix, primitive_matrix = compact(crystal, matrix)
    return lattice_force_constants(crystal.atoms, supercell_matrix, primitive_matrix, values)


def shaken(crystal: SpringCrystal, matrix: np.ndarray, n_frames: int = 4, seed: int = 0) -> ForceRun:
    """Return frames of a harmonic crystal in a supercell (vectors as rows), displaced at random."""
    rng = np.random.default_rng(seed)
    ideal = make_supercell(crystal.atoms, matrix)
    positions, forces = [], []
    for _ in range(n_frames):
        moved = ideal.copy()
        moved.positions += rng.normal(0, 0.05, ideal.positions.shape)
        positions.append(moved.positions)
        forces.append(crystal.forces(ideal, moved))
    cells = np.repeat(ideal.cell.array[None], n_frames, axis=0)
    return ForceRun(np.array(positions), cells, np.array(forces), ideal.numbers)


class QuarticPairs:
    """Pairs of atoms, far from each other: V = Σ k w² / 2 + g w⁴ / 4 over the components w of their distance."""

    def __init__(self, spring: float = 2.0, quartic: float = 30.0, repeat: Sequence[int] = (2, 2, 2)):
        self.spring, self.quartic = spring, quartic
        self.unit_cell = Atoms("CuAu", scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]], cell=[4.0, 4.0, 4.0], pbc=True)
        self.supercell = self.unit_cell * tuple(repeat)

    @property
    def force_constants(self) -> LatticeForceConstants:
        """Those at 0 K, of a 2x2x2 supercell, where each atom has but one partner."""
        values = np.zeros((2, 16, 3, 3))
        # phonopy's supercell lists the eight images of an atom one after the other, its own cell first.
        for atom, sign in ((0, 1), (1, -1)):
            values[atom, 0] = sign * self.spring * np.eye(3)
            values[atom, 8] = -sign * self.spring * np.eye(3)
        return lattice_force_constants(self.unit_cell, 2 * np.eye(3, dtype=int), np.eye(3), values)

    def sample(self, temperature: float, n_frames: int, seed: int = 0) -> ForceRun:
        """Return independent frames of the classical canonical ensemble, the centre of each pair at rest."""
        rng = np.random.default_rng(seed)
        n_pairs = len(self.supercell) // 2
        grid = np.linspace(-3, 3, 20_001) * self._width(temperature)
        cumulative = np.cumsum(np.exp(-self._energy(grid) / (units.kB * temperature)))
        differences = np.interp(rng.random((n_frames, n_pairs, 3)), cumulative / cumulative[-1], grid)
        masses = self.unit_cell.get_masses()
        positions = np.repeat(self.supercell.positions[None], n_frames, axis=0)
        positions[:, 0::2] += differences * masses[1] / masses.sum()
        positions[:, 1::2] -= differences * masses[0] / masses.sum()
        pulls = -self._pull(differences)
        forces = np.empty(positions.shape)
        forces[:, 0::2], forces[:, 1::2] = pulls, -pulls
        cells = np.repeat(self.supercell.cell.array[None], n_frames, axis=0)
        return ForceRun(disturbed(positions), cells, disturbed(forces), self.supercell.numbers)

    def score(self, temperature: float) -> float:
        """Return σ(T) = √(⟨(g w³)²⟩ / ⟨(k w + g w³)²⟩) by quadrature."""
        anharmonic = self._mean(temperature, lambda w: (self.quartic * w**3) ** 2)
        return float(np.sqrt(anharmonic / self._mean(temperature, lambda w: self._pull(w) ** 2)))

    def best_spring(self, temperature: float) -> float:
        """Return the spring that fits the forces best at a temperature, -⟨w F⟩ / ⟨w²⟩, by quadrature."""
        return float(self._mean(temperature, lambda w: w * self._pull(w)) / self._mean(temperature, lambda w: w**2))

    def left(self, temperature: float) -> float:
        """Return the σ(T) that the best spring leaves, by quadrature."""
        spring = self.best_spring(temperature)
        rest = self._mean(temperature, lambda w: (self._pull(w) - spring * w) ** 2)
        return float(np.sqrt(rest / self._mean(temperature, lambda w: self._pull(w) ** 2)))

    def _mean(self, temperature: float, function: Callable[[float], float]) -> float:
        """Return an average over the canonical distribution, but for its norm."""
        width = 3 * self._width(temperature)
        boltzmann = units.kB * temperature
        return quad(lambda w: function(w) * np.exp(-self._energy(w) / boltzmann), -width, width, limit=200)[0]

    def _pull(self, w):
        return self.spring * w + self.quartic * w**3

    def _energy(self, w):
        return self.spring * w**2 / 2 + self.quartic * w**4 / 4

    def _width(self, temperature: float) -> float:
        """Return a length, Å, three of which hold all of the distribution."""
        return 2.0 * min(
            (units.kB * temperature / self.spring) ** 0.5 * 1.5, (4 * units.kB * temperature / self.quartic) ** 0.25
        )

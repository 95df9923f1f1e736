"""Diffusion and vibration against closed forms: random walks, harmonic crystals, drifting boxes."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from thermal_crystals import cubic, vibrating

from aiida_crucible.analysis.crystal.displacements import unwrapped_displacements
from aiida_crucible.analysis.dynamics.diffusion import (
    diffusion_coefficients,
    lindemann_indices,
    mean_square_displacements,
)

BOX = 20.0 * np.eye(3)


def walk(n_frames, n_atoms, step, seed=0):
    """Return random walks with D = step² / 2 per frame interval."""
    return np.cumsum(np.random.default_rng(seed).normal(0, step, (n_frames, n_atoms, 3)), axis=0)


def test_the_fourier_sum_is_the_sum_over_pairs():
    positions = walk(40, 6, 0.3) + np.random.default_rng(1).uniform(0, 20, (6, 3))
    masses = np.array([1.0, 2, 3, 4, 5, 6])
    result = mean_square_displacements(
        unwrapped_displacements(positions, BOX, masses), ["H", "H", "He", "He", "He", "He"]
    )
    free = positions - np.average(positions, axis=1, weights=masses)[:, None]
    for symbol, atoms in {"H": slice(0, 2), "He": slice(2, 6)}.items():
        exact = [((free[lag:, atoms] - free[: 40 - lag, atoms]) ** 2).sum(axis=2).mean() for lag in range(40)]
        assert result[symbol] == pytest.approx(exact, abs=1e-10)


def test_a_random_walk_has_its_diffusion_coefficient_with_an_honest_error():
    step, interval, n_atoms = 0.2, 10.0, 60
    # The drift of the centre of mass takes one degree of freedom in n_atoms.
    exact = step**2 / (2 * interval) * (1 - 1 / n_atoms)
    found = [
        diffusion_coefficients(
            unwrapped_displacements(walk(600, n_atoms, step, seed), BOX, np.ones(n_atoms)), ["Li"] * n_atoms, interval
        )
        for seed in range(40)
    ]
    values = np.array([result["Li"].value for result in found])
    errors = np.array([result["Li"].standard_error for result in found])
    assert values.mean() == pytest.approx(exact, rel=0.03)
    # Five segments: Student's t with four degrees of freedom has 88 % within two errors.
    assert (np.abs(values - exact) < 2 * errors).mean() > 0.7
    assert errors.mean() == pytest.approx(values.std(), rel=0.35)


def test_a_fast_species_is_told_from_a_slow_one_and_a_drift_from_both():
    positions = np.concatenate([walk(1000, 20, 0.3), walk(1000, 20, 0.03, seed=1)], axis=1)
    positions += np.arange(1000)[:, None, None] * [0.5, -0.2, 0.1]
    symbols = ["Li"] * 20 + ["U"] * 20
    masses = np.array([1e-6] * 20 + [238.0] * 20)
    result = diffusion_coefficients(unwrapped_displacements(positions, BOX, masses), symbols, 1.0)
    assert result["Li"].value == pytest.approx(0.3**2 / 2, rel=0.25)
    assert result["U"].value == pytest.approx(0.03**2 / 2, rel=0.35)


def test_a_harmonic_crystal_stays_bounded():
    crystal = cubic() * 3
    frames = vibrating(crystal, 800, 0.1)
    symbols = crystal.get_chemical_symbols()
    paths = unwrapped_displacements(frames, crystal.cell.array, crystal.get_masses())
    result = mean_square_displacements(paths, symbols)
    # Independent frames of Einstein oscillators: 2 · 3 · 0.1² at every lag but 0.
    for values in result.values():
        assert values[0] == pytest.approx(0, abs=1e-10)
        assert values[1:400] == pytest.approx(0.06, rel=0.05)
    for coefficient in diffusion_coefficients(paths, symbols, 10.0).values():
        assert abs(coefficient.value) < 5 * coefficient.standard_error


def test_a_breathing_cell_moves_no_atom():
    crystal = cubic() * 2
    scales = 1 + 0.02 * np.sin(np.arange(200) / 5)
    cells = crystal.cell.array * scales[:, None, None]
    positions = crystal.get_scaled_positions() @ cells
    result = mean_square_displacements(
        unwrapped_displacements(positions, cells, crystal.get_masses()), crystal.get_chemical_symbols()
    )
    assert max(np.abs(values).max() for values in result.values()) < 1e-12


def test_the_lindemann_index_of_einstein_oscillators():
    crystal = bulk("Al", a=4.05, cubic=True) * 3
    squares = vibrating(crystal, 2000, 0.12).var(axis=0)
    expected = np.sqrt(3) * 0.12 / (4.05 / np.sqrt(2))
    assert lindemann_indices(squares, crystal) == pytest.approx({"Al": expected}, rel=0.01)
    by_species = lindemann_indices(np.full((5, 3), 0.01), cubic())
    distances = {"Pb": 3.95 / np.sqrt(2), "Ti": 3.95 / 2, "O": 3.95 / 2}
    assert by_species == pytest.approx({symbol: np.sqrt(0.03) / length for symbol, length in distances.items()})


def test_broken_input_is_refused():
    with pytest.raises(ValueError, match="99 frames"):
        diffusion_coefficients(walk(99, 2, 1.0), ["H", "H"], 1.0)
    with pytest.raises(ValueError, match=r"give \(5, 3\)"):
        lindemann_indices(np.zeros((4, 3)), cubic())
    collapsed = cubic()
    collapsed.positions[1] = collapsed.positions[0]
    with pytest.raises(ValueError, match="on top of each other"):
        lindemann_indices(np.zeros((5, 3)), collapsed)

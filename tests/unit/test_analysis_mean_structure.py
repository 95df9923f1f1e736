"""The space group of a time average is that of the planted structure, and noise is not taken for a distortion."""

from __future__ import annotations

import numpy as np
import pytest
from thermal_crystals import cubic, polar, shuffled, vibrating

from aiida_crucible.analysis.crystal.displacements import displacements
from aiida_crucible.analysis.crystal.mapping import find_sites
from aiida_crucible.analysis.dynamics.mean_structure import collective_error, independent_samples, mean_structure
from aiida_crucible.analysis.statistics.averages import statistical_inefficiencies

N_FRAMES = 300


def averaged(unit_cell, n=3, amplitude=0.15, seed=0, n_frames=N_FRAMES, displaced=None, **errors):
    supercell = shuffled(unit_cell * (n, n, n), seed)
    sites = find_sites(supercell, unit_cell)
    frames = vibrating(supercell, n_frames, amplitude, seed)
    if displaced is not None:
        frames += displaced(supercell)
    squares = frames.var(axis=0)
    errors.setdefault("n_independent", n_frames)
    return mean_structure(frames.mean(axis=0), supercell.cell.array, squares, unit_cell, sites, **errors)


@pytest.mark.parametrize(("unit_cell", "expected"), [(cubic(), "Pm-3m (221)"), (polar(), "P4mm (99)")])
def test_planted_space_groups_are_found_in_every_run(unit_cell, expected):
    found = [averaged(unit_cell, seed=seed) for seed in range(20)]
    assert [mean.space_group for mean in found] == [expected] * 20
    assert all(mean.folded and len(mean.atoms) == 5 for mean in found)
    assert sum(mean.robust for mean in found) >= 18
    # 2 b, b = 2 · 0.15 Å / √(300 · 27) · (√3 + √(2 ln 500)), the amplitude being the largest of 405 measured ones.
    assert found[0].tolerance == pytest.approx(4 * 0.15 / 90 * (np.sqrt(3) + np.sqrt(2 * np.log(500))), rel=0.15)


def test_the_mean_cell_is_the_unit_cell():
    mean = averaged(polar(), amplitude=0.02)
    expected = polar().get_scaled_positions()
    shifts = mean.atoms.get_scaled_positions(wrap=False) - expected
    assert np.ptp(shifts - np.rint(shifts), axis=0).max() < 1e-3
    assert mean.atoms.cell.cellpar() == pytest.approx([3.9, 3.9, 4.15, 90, 90, 90])
    assert mean.largest_deviation < 0.02


def test_a_drift_and_wrapping_change_nothing():
    unit_cell = polar()
    supercell = unit_cell * 2
    sites = find_sites(supercell, unit_cell)
    positions = vibrating(supercell, N_FRAMES, 0.1).mean(axis=0)
    squares = np.full(positions.shape, 0.01)
    plain = mean_structure(positions, supercell.cell.array, squares, unit_cell, sites, n_independent=N_FRAMES)
    moved = positions + np.array([1.3, -7.7, 21.0])
    moved += np.random.default_rng(0).integers(-1, 2, moved.shape) @ supercell.cell.array
    other = mean_structure(moved, supercell.cell.array, squares, unit_cell, sites, n_independent=N_FRAMES)
    assert np.allclose(plain.atoms.positions, other.atoms.positions, atol=1e-9)
    assert plain.space_group == other.space_group == "P4mm (99)"


def test_a_distortion_below_the_noise_is_not_claimed_and_one_above_it_is():
    def shift(size):
        return lambda atoms: np.where((atoms.numbers == 22)[:, None], [0, 0, size], 0.0)

    assert averaged(cubic(), displaced=shift(0.004)).space_group == "Pm-3m (221)"
    above = averaged(cubic(), displaced=shift(0.08))
    assert above.space_group == "P4mm (99)"
    assert above.robust


def test_tilted_octahedra_are_not_averaged_away():
    """In-phase turns about z double the cell in the plane: P4/mbm (a0a0c+ of Glazer, Acta Cryst. B 1972, 28, 3384)."""

    def tilts(atoms):
        cells = np.floor(atoms.positions / 3.95 + 1e-6).astype(int)
        sign = np.where(cells[:, :2].sum(axis=1) % 2 == 0, 1.0, -1.0)
        fractions = atoms.positions / 3.95 - cells
        u = np.zeros((len(atoms), 3))
        along_x = (atoms.numbers == 8) & (np.abs(fractions[:, 1]) < 0.1)
        along_y = (atoms.numbers == 8) & (np.abs(fractions[:, 0]) < 0.1)
        u[along_x, 0] = 0.3 * sign[along_x]
        u[along_y, 1] = -0.3 * sign[along_y]
        return u

    mean = averaged(cubic(), n=2, amplitude=0.05, displaced=tilts)
    assert not mean.folded
    assert len(mean.atoms) == 40
    assert mean.space_group == "P4/mbm (127)"
    assert "more than noise" in mean.reason


@pytest.mark.slow
def test_a_slow_motion_of_all_cells_is_noise_too():
    """A soft mode that moves all cells together averages out slowly: its own error counts, not that of one atom."""
    unit_cell = cubic()
    supercell = unit_cell * 3
    sites = find_sites(supercell, unit_cell)
    reference = sites.of_phase(unit_cell)
    naive, honest = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        soft = np.zeros((600, 3))
        for step in range(1, 600):
            soft[step] = 0.95 * soft[step - 1] + 0.1 * np.sqrt(1 - 0.95**2) * rng.standard_normal(3)
        frames = vibrating(supercell, 600, 0.1, seed) + soft[:, None] * (supercell.numbers == 22)[None, :, None]
        u = displacements(frames, supercell.cell.array, reference)
        averages = (frames.mean(axis=0), supercell.cell.array, frames.var(axis=0), unit_cell, sites)
        n_independent = independent_samples(statistical_inefficiencies(u.reshape(600, -1)), 600)
        naive.append(mean_structure(*averages, n_independent=n_independent).space_group)
        errors = {"n_independent": n_independent, "collective_error": collective_error(u, sites)}
        honest.append(mean_structure(*averages, **errors).space_group)
    # Fifteen correlation times are few: that nothing can be told is an answer, another group is none.
    assert set(honest) <= {"Pm-3m (221)", None}
    assert honest.count("Pm-3m (221)") >= 7
    assert naive.count("Pm-3m (221)") <= 5


def test_the_error_of_the_lengths_widens_the_tolerance():
    nearly = cubic()
    nearly.set_cell([3.95, 3.953, 3.957], scale_atoms=True)
    assert averaged(nearly, amplitude=0.005, n_frames=1000).space_group != "Pm-3m (221)"
    assert averaged(nearly, amplitude=0.005, n_frames=1000, length_error=0.003).space_group == "Pm-3m (221)"


def test_a_melt_has_no_space_group():
    rng = np.random.default_rng(0)
    supercell = cubic() * 2
    sites = find_sites(supercell, cubic())
    molten = supercell.positions + rng.normal(0, 2, supercell.positions.shape)
    squares = np.full(molten.shape, 9.0)
    mean = mean_structure(molten, supercell.cell.array, squares, cubic(), sites, n_independent=5)
    assert mean.space_group is None
    assert not mean.robust
    assert "no space group can be told" in mean.reason


def test_independent_samples_follow_the_slower_coordinates():
    assert independent_samples(np.r_[np.ones(80), np.full(20, 10.0)], 1000) == pytest.approx(100)
    assert independent_samples(np.full(10, 1e6), 1000) == 1


def test_broken_input_is_refused():
    supercell = cubic() * 2
    sites = find_sites(supercell, cubic())
    good = [supercell.positions, supercell.cell.array, np.full((40, 3), 0.01)]
    for index, message in enumerate(["mean positions", "mean cell", "mean square displacements"]):
        short, broken = list(good), list(good)
        short[index], broken[index] = good[index][:-1], good[index] * np.nan
        with pytest.raises(ValueError, match=f"{message} of shape"):
            mean_structure(*short, cubic(), sites, n_independent=10)
        with pytest.raises(ValueError, match=f"{message} are not finite"):
            mean_structure(*broken, cubic(), sites, n_independent=10)
    with pytest.raises(ValueError, match="at least one"):
        mean_structure(*good, cubic(), sites, n_independent=0)

"""Displacements do not see wrapping, drift, strain or the order of magnitude of a run."""

from __future__ import annotations

import numpy as np
import pytest
from thermal_crystals import cubic, vibrating

from aiida_crucible.analysis.crystal.displacements import displacements, unwrapped_displacements


def planted(seed=0, n_frames=6):
    """Return a reference, its displacements (without a common part) and the frames they make."""
    reference = cubic() * 2
    masses = reference.get_masses()[:, None]
    u = vibrating(reference, n_frames, 0.1, seed) - reference.positions
    u -= (masses * u).sum(axis=1, keepdims=True) / masses.sum()
    return reference, u, reference.positions + u


def test_planted_displacements_come_back():
    reference, u, positions = planted()
    assert np.allclose(displacements(positions, reference.cell.array, reference), u, atol=1e-12)
    single = displacements(positions.astype(np.float32), reference.cell.array, reference)
    assert np.allclose(single, u, atol=2e-6)


def test_wrapping_and_drift_do_not_matter():
    reference, u, positions = planted()
    rng = np.random.default_rng(1)
    moved = positions + rng.uniform(-20, 20, (len(u), 1, 3))
    moved += rng.integers(-2, 3, moved.shape) @ reference.cell.array
    assert np.allclose(displacements(moved, reference.cell.array, reference), u, atol=1e-10)


def test_a_homogeneous_strain_displaces_nothing():
    reference, _, _ = planted()
    cells = reference.cell.array @ (np.eye(3) + np.random.default_rng(2).normal(0, 0.03, (4, 3, 3)))
    positions = reference.get_scaled_positions() @ cells
    assert np.abs(displacements(positions, cells, reference)).max() < 1e-12
    assert np.abs(unwrapped_displacements(positions, cells, reference.get_masses())).max() < 1e-12


def test_a_path_is_followed_through_many_cells():
    reference = cubic() * 2
    steps = np.arange(50)[:, None, None] * np.ones((1, len(reference), 3))
    positions = reference.positions + steps
    positions[:, 0] += 3 * np.arange(50)[:, None]
    u = unwrapped_displacements(positions, reference.cell.array, reference.get_masses())
    # The drift goes, the hop of one atom against the others stays.
    assert np.allclose(u[:, 0] - u[:, 1], 3 * np.arange(50)[:, None])
    assert np.abs(np.average(u, axis=1, weights=reference.get_masses())).max() < 1e-10


def test_shapes_are_checked():
    reference, _, positions = planted()
    with pytest.raises(ValueError, match=r"positions of shape \(6, 39, 3\)"):
        displacements(positions[:, :-1], reference.cell.array, reference)
    with pytest.raises(ValueError, match="at least one frame"):
        displacements(positions[:0], reference.cell.array, reference)
    with pytest.raises(ValueError, match=r"cells of shape \(2, 3, 3\)"):
        displacements(positions, np.zeros((2, 3, 3)), reference)

"""Order parameters: 1 in the low-symmetry structure, 0 in the high one, in every domain and under every strain."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from thermal_crystals import cubic, polar, vibrating

from aiida_crucible.analysis.crystal.displacements import displacements
from aiida_crucible.analysis.crystal.mapping import find_sites
from aiida_crucible.analysis.dynamics.order_parameters import (
    displacement_pattern,
    domain_amplitudes,
    domain_components,
    projections,
)

PARENT = polar() * (2, 2, 2)
SITES = find_sites(PARENT, polar())
REFERENCE = SITES.of_phase(cubic())
PATTERN = displacement_pattern(cubic(), polar()).repeated(SITES)


def of(positions, cell):
    u = displacements(np.asarray(positions)[None], cell, REFERENCE)
    return projections(u, cell, PATTERN)[0], domain_amplitudes(u, cell, PATTERN)[0]


def test_the_ends_are_one_and_zero_whatever_the_strain():
    assert of(PARENT.positions, PARENT.cell.array) == pytest.approx((1, 1))
    stretched = PARENT.cell.array @ np.diag([0.9, 1.1, 1.3])
    assert of(PARENT.get_scaled_positions() @ stretched, stretched) == pytest.approx((1, 1))
    assert of(REFERENCE.positions, REFERENCE.cell.array) == pytest.approx((0, 0), abs=1e-12)
    half = (PARENT.get_scaled_positions(wrap=False) - REFERENCE.get_scaled_positions(wrap=False)) / 2
    positions = (REFERENCE.get_scaled_positions(wrap=False) + half) @ PARENT.cell.array
    assert of(positions, PARENT.cell.array) == pytest.approx((0.5, 0.5))


def test_the_opposite_domain_is_minus_one_and_one_at_a_right_angle_shows_in_the_amplitude_alone():
    positions = PARENT.get_scaled_positions(wrap=False) @ REFERENCE.cell.array
    u = displacements(positions[None], REFERENCE.cell.array, REFERENCE)
    turned = np.zeros_like(u)
    # A cyclic turn of the axes: the oxygens of the three faces change places.
    cycle = {0: 0, 1: 1, 2: 4, 3: 2, 4: 3}
    for source, target in cycle.items():
        turned[:, SITES.by_cell[:, target]] = np.roll(u[:, SITES.by_cell[:, source]], 1, axis=2)
    frames = np.concatenate([u, -u, turned])
    cell = REFERENCE.cell.array
    assert projections(frames, cell, PATTERN) == pytest.approx([1, -1, 0], abs=1e-9)
    assert domain_amplitudes(frames, cell, PATTERN) == pytest.approx([1, 1, 1])
    assert domain_components(frames, cell, PATTERN).shape == (3, 3)


def test_thermal_motion_of_the_cubic_phase_gives_the_known_small_amplitude():
    frames = vibrating(REFERENCE, 4000, 0.05)
    u = displacements(frames, REFERENCE.cell.array, REFERENCE)
    assert projections(u, REFERENCE.cell.array, PATTERN).mean() == pytest.approx(0, abs=0.01)
    # Each of three components is Gaussian with the oscillators' own amplitude over the pattern's.
    expected = 0.05 / PATTERN.amplitude
    assert projections(u, REFERENCE.cell.array, PATTERN).std() == pytest.approx(expected, rel=0.05)
    squares = domain_amplitudes(u, REFERENCE.cell.array, PATTERN) ** 2
    assert np.sqrt(squares.mean()) == pytest.approx(np.sqrt(3) * expected, rel=0.05)


def test_an_antiferrodistortive_pattern_has_its_own_domains():
    """Octahedra turned about z, in phase along z: a√2 x a√2 x a, seen in a 2x2x2 supercell."""
    high = cubic() * (2, 2, 2)
    low = high.copy()
    scaled = high.get_scaled_positions()
    sign = np.where(np.floor(2 * scaled[:, :2] + 1e-6).astype(int).sum(axis=1) % 2 == 0, 1.0, -1.0)
    for kind, axis, direction in ((3, 0, 1.0), (4, 1, -1.0)):
        atoms = np.arange(kind, len(high), 5)
        low.positions[atoms, axis] += 0.2 * direction * sign[atoms]
    pattern = displacement_pattern(high, low)
    assert pattern.amplitude == pytest.approx(0.2 * 4)
    # Three axes, and about each of them in-phase turns only; the supercell's translations add the sign alone.
    assert len(pattern.equivalents) == 3
    u = displacements(low.positions[None], high.cell.array, high)
    assert projections(u, high.cell.array, pattern) == pytest.approx([1])
    polar_u = displacements((polar() * 2).positions[None], high.cell.array, high)
    assert projections(polar_u, high.cell.array, pattern) == pytest.approx([0], abs=1e-6)


def test_structures_without_a_pattern_are_refused():
    with pytest.raises(ValueError, match="same atoms in the same order"):
        displacement_pattern(cubic(), polar()[[1, 0, 2, 3, 4]])
    strained = Atoms("PbTiO3", scaled_positions=cubic().get_scaled_positions(), cell=[3.9, 3.9, 4.15], pbc=True)
    with pytest.raises(ValueError, match="same but for strain"):
        displacement_pattern(cubic(), strained)
    with pytest.raises(ValueError, match="positions of shape"):
        projections(np.zeros((2, 5, 3)), np.eye(3), PATTERN)

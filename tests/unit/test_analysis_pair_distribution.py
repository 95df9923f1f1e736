"""Pair distributions: an ideal gas has none, and a crystal the shells of its lattice."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from thermal_crystals import cubic

from aiida_crucible.analysis.crystal.neighbours import nearest_distances
from aiida_crucible.analysis.dynamics.pair_distribution import pair_distribution

SKEW = np.array([[9.0, 0, 0], [4.0, 8.0, 0], [-3.0, 2.0, 10.0]])


def coordination(result, symbols, densities, pair, cutoff):
    """Return how many atoms of the second species are within a cutoff of one of the first, by g(r)."""
    values = result.values.get(pair, result.values.get(pair[::-1]))
    others = max(1, symbols.count(pair[1]) - (pair[0] == pair[1]))
    cumulated = np.cumsum(values * 4 / 3 * np.pi * np.diff(result.edges**3)) * others * np.mean(densities)
    return float(np.interp(cutoff, result.edges, [0.0, *cumulated]))


@pytest.mark.parametrize("largest_radius", [None, 4.5])
def test_an_ideal_gas_in_a_skew_cell_has_one_everywhere(largest_radius):
    rng = np.random.default_rng(0)
    symbols = ["Ar"] * 30 + ["Ne"] * 20
    positions = rng.uniform(-2, 3, (200, 50, 3)) @ SKEW
    result = pair_distribution(positions, SKEW, symbols, largest_radius=largest_radius, n_bins=10)
    heights = abs(np.linalg.det(SKEW)) / np.linalg.norm(np.cross(SKEW[[1, 2, 0]], SKEW[[2, 0, 1]]), axis=1)
    assert result.edges[-1] == pytest.approx(largest_radius or heights.min() / 2)
    for pair, sizes in {("Ar", "Ar"): 30 * 29, ("Ar", "Ne"): 30 * 20, ("Ne", "Ne"): 20 * 19}.items():
        shells = 4 / 3 * np.pi * np.diff(result.edges**3) / abs(np.linalg.det(SKEW))
        scatter = 1 / np.sqrt(sizes * shells * 200 / (2 if pair[0] == pair[1] else 1))
        assert (np.abs(result.values[pair] - 1) < 4.5 * scatter).all()


def test_pairs_beyond_half_the_box_are_those_of_a_larger_supercell():
    rng = np.random.default_rng(1)
    small = cubic() * (2, 1, 1)
    small.set_cell(small.cell.array @ (np.eye(3) + rng.normal(0, 0.1, (3, 3))), scale_atoms=True)
    small.positions += rng.normal(0, 0.2, small.positions.shape)
    large = small * (3, 4, 4)
    radius = 6.0
    one, other = (
        pair_distribution(atoms.positions[None], atoms.cell.array, atoms.get_chemical_symbols(), largest_radius=radius)
        for atoms in (small, large)
    )
    assert radius > small.cell.lengths().min()
    for pair in one.values:
        counts, expected = (
            [
                coordination(result, atoms.get_chemical_symbols(), 1 / atoms.get_volume(), pair, edge)
                for edge in result.edges[1:]
            ]
            for result, atoms in ((one, small), (other, large))
        )
        assert counts == pytest.approx(expected)


@pytest.mark.parametrize("atoms", [bulk("Cu", a=3.6), bulk("Cu", a=3.6, cubic=True), bulk("Cu", a=3.6) * 3])
def test_shells_of_a_face_centred_cubic_crystal(atoms):
    result = pair_distribution(
        atoms.positions[None], atoms.cell.array, atoms.get_chemical_symbols(), largest_radius=5.3, n_bins=530
    )
    # At a √(k/2): 12, 6, 24, 12 neighbours.
    arguments = (result, atoms.get_chemical_symbols(), 1 / atoms.get_volume(), ("Cu", "Cu"))
    cumulated = [coordination(*arguments, 3.6 * np.sqrt(shell / 2) + 0.1) for shell in (1, 2, 3, 4)]
    assert cumulated == pytest.approx([12, 18, 42, 54])
    assert coordination(*arguments, 2.4) == 0
    peak = result.values["Cu", "Cu"]
    assert np.unique(result.radii[peak > 0].round(1)) == pytest.approx(np.round(3.6 * np.sqrt([0.5, 1, 1.5, 2]), 1))
    assert nearest_distances(atoms) == pytest.approx(3.6 / np.sqrt(2))


def test_coordination_in_both_directions_of_a_pair():
    atoms = cubic() * 2
    result = pair_distribution(atoms.positions[None], atoms.cell.array, atoms.get_chemical_symbols())
    arguments = (result, atoms.get_chemical_symbols(), 1 / atoms.get_volume())
    assert coordination(*arguments, ("Ti", "O"), 2.5) == pytest.approx(6)
    assert coordination(*arguments, ("O", "Ti"), 2.5) == pytest.approx(2)
    assert coordination(*arguments, ("Pb", "O"), 3.2) == pytest.approx(12)


def test_frames_of_a_breathing_cell_are_averaged_and_thinned():
    cells = np.array([np.diag([3.6, 3.6, 3.6]) * scale for scale in (1.0, 1.05)])
    positions = bulk("Cu", a=3.6, cubic=True).get_scaled_positions() @ cells
    result = pair_distribution(positions, cells, ["Cu"] * 4, largest_radius=3.0, n_bins=300)
    arguments = (result, ["Cu"] * 4, 1 / np.linalg.det(cells), ("Cu", "Cu"))
    assert coordination(*arguments, 2.6) == pytest.approx(6)
    assert coordination(*arguments, 2.8) == pytest.approx(12)
    many = np.repeat(positions[:1], 1000, axis=0)
    thinned = pair_distribution(many, cells[0], ["Cu"] * 4, n_frames=7).values["Cu", "Cu"]
    assert thinned == pytest.approx(pair_distribution(positions[:1], cells[0], ["Cu"] * 4).values["Cu", "Cu"])


def test_a_lone_atom_has_its_images():
    result = pair_distribution(np.zeros((1, 1, 3)), 3 * np.eye(3), ["Po"], largest_radius=3.5)
    assert coordination(result, ["Po"], 1 / 27, ("Po", "Po"), 3.2) == pytest.approx(6)


def test_broken_input_is_refused():
    positions = np.zeros((1, 2, 3))
    with pytest.raises(ValueError, match="give a positive number"):
        pair_distribution(positions, np.eye(3), ["H", "H"], largest_radius=-1)
    with pytest.raises(ValueError, match="not finite"):
        pair_distribution(positions * np.nan, np.eye(3), ["H", "H"])
    with pytest.raises(ValueError, match="positions of shape"):
        pair_distribution(positions, np.eye(3), ["H"])

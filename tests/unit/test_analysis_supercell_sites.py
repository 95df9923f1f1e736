"""Atoms of a supercell find their places in the unit cell, in whatever order and phase they come."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk, make_supercell
from thermal_crystals import cubic, polar, shuffled

from aiida_crucible.analysis.crystal.displacements import displacements
from aiida_crucible.analysis.crystal.mapping import find_sites

SKEW = [[2, 0, 0], [1, 2, 0], [0, -1, 1]]


@pytest.mark.parametrize("matrix", [np.diag([2, 3, 1]), np.array(SKEW)])
def test_a_shuffled_supercell_is_rebuilt_from_its_sites(matrix):
    supercell = shuffled(make_supercell(polar(), matrix))
    sites = find_sites(supercell, polar())
    assert np.array_equal(sites.matrix, matrix)
    assert sites.n_cells == round(np.linalg.det(matrix))
    rebuilt = sites.of_phase(polar())
    assert np.array_equal(rebuilt.numbers, supercell.numbers)
    assert np.allclose(rebuilt.cell.array, supercell.cell.array)
    assert np.abs(displacements(supercell.positions[None], supercell.cell.array, rebuilt)).max() < 1e-10
    assert sorted(sites.by_cell.ravel()) == list(range(len(supercell)))
    assert np.array_equal(sites.unit_atoms[sites.by_cell], np.tile(np.arange(5), (sites.n_cells, 1)))
    # Atoms of one cell share a translation.
    assert (np.ptp(sites.translations[sites.by_cell], axis=1) == 0).all()


def test_another_phase_takes_the_order_of_the_supercell():
    supercell = shuffled(polar() * (2, 2, 2))
    reference = find_sites(supercell, polar()).of_phase(cubic())
    assert np.array_equal(reference.numbers, supercell.numbers)
    assert np.allclose(reference.cell.lengths(), 7.9)
    # The apical oxygen, at 0.9785 of the one cell and 0 of the other, has not moved by a cell.
    assert np.abs(displacements(supercell.positions[None], supercell.cell.array, reference)).max() < 0.5


def test_displaced_and_slightly_strained_supercells_keep_their_sites():
    ideal = bulk("Cu", cubic=True) * (3, 3, 3)
    moved = ideal.copy()
    moved.set_cell(ideal.cell.array * [1.03, 0.98, 1.0], scale_atoms=True)
    moved.positions += np.random.default_rng(0).normal(0, 0.15, moved.positions.shape)
    unit_cell = bulk("Cu", cubic=True)
    assert np.array_equal(find_sites(moved, unit_cell).by_cell, find_sites(ideal, unit_cell).by_cell)


def test_a_supercell_of_something_else_is_refused():
    with pytest.raises(ValueError, match="not whole multiples"):
        find_sites(bulk("Cu", cubic=True) * 2, bulk("Cu", a=2.8, cubic=True))
    with pytest.raises(ValueError, match="has 39 atoms, but 8 unit cells of 5"):
        find_sites((cubic() * 2)[:-1], cubic())
    other = cubic() * 2
    other.symbols[other.symbols == "Pb"] = "Ba"
    with pytest.raises(ValueError, match="different elements"):
        find_sites(other, cubic())
    molten = cubic() * 2
    molten.positions += np.random.default_rng(1).uniform(0, 4, molten.positions.shape)
    with pytest.raises(ValueError, match="from any free site"):
        find_sites(molten, cubic())
    with pytest.raises(ValueError, match="a unit cell of 4 atoms"):
        find_sites(cubic() * 2, cubic()).of_phase(bulk("Cu", cubic=True))

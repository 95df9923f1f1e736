"""What a space group fixes of a lattice, and how far a measured one is off: closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.geometry import cellpar_to_cell
from perovskite import tetragonal

from aiida_crucible.analysis.crystal.cells import lattice_operations
from aiida_crucible.analysis.crystal.lattice_symmetry import STRAINS, forbidden_strains, strain, strain_error


def operations(atoms: Atoms) -> np.ndarray:
    return lattice_operations(atoms, 1e-3)


def test_a_cubic_crystal_fixes_every_shape():
    cell = np.array(cellpar_to_cell([3.60, 3.64, 3.56, 90, 90, 91]))
    off = forbidden_strains(cell, operations(bulk("Cu", cubic=True)))
    assert set(off) == set(STRAINS)
    assert off["b_over_a"] == pytest.approx(3.64 / 3.60 - 1)
    assert off["c_over_a"] == pytest.approx(3.56 / 3.60 - 1)
    assert off["gamma"] == pytest.approx(np.radians(1.0))
    assert off["alpha"] == 0.0


def test_a_tetragonal_crystal_leaves_its_axis_free():
    cell = np.array(cellpar_to_cell([3.90, 3.92, 4.15, 90, 90.5, 90]))
    off = forbidden_strains(cell, operations(tetragonal()))
    assert set(off) == {"b_over_a", "alpha", "beta", "gamma"}
    assert off["b_over_a"] == pytest.approx(3.92 / 3.90 - 1)


def test_a_primitive_cell_fixes_its_sixty_degrees():
    off = forbidden_strains(bulk("Cu").cell.array @ np.diag([1.0, 1.0, 1.01]), operations(bulk("Cu")))
    assert set(off) == set(STRAINS)
    assert max(map(abs, off.values())) > 0.001


def test_operations_of_a_supercell_are_those_of_its_unit_cell():
    matrix = np.array([[2, 0, 0], [0, 2, 0], [0, 0, 2]])
    cell = np.array(cellpar_to_cell([3.60, 3.64, 3.56, 90, 89.5, 91]))
    of_supercell = forbidden_strains(cell, operations(bulk("Cu", cubic=True) * (2, 2, 2)), matrix)
    assert of_supercell == pytest.approx(forbidden_strains(cell, operations(bulk("Cu", cubic=True))))


def test_a_group_without_rotations_fixes_nothing():
    assert forbidden_strains(np.eye(3), np.eye(3, dtype=int)[None]) == {}


def test_strains_are_relative_or_in_radians():
    assert strain("c_over_a", 1.0706, 1.06) == pytest.approx(0.01)
    assert strain_error("c_over_a", 0.0106, 1.06) == pytest.approx(0.01)
    assert strain("gamma", 91.0, 90.0) == pytest.approx(np.pi / 180)
    assert strain_error("gamma", 1.0, 90.0) == pytest.approx(np.pi / 180)

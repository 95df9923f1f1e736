"""Cells: settings, supercell matrices, lattice parameters, and the messages for matrices that are none."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk, make_supercell

from aiida_crucible.analysis.crystal.cells import (
    formula_units,
    lattice_parameters,
    parse_supercell_matrix,
    space_group,
    standardised,
    supercell_matrix_for_length,
)


def test_supercell_matrix_takes_numbers_and_rows():
    np.testing.assert_array_equal(parse_supercell_matrix([2, 2, 3]), np.diag([2, 2, 3]))
    np.testing.assert_array_equal(parse_supercell_matrix([[1, 1, 0], [-1, 1, 0], [0, 0, 1]])[0], [1, 1, 0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([2, 2], "three whole numbers"),
        ([2.5, 2, 2], "three whole numbers"),
        ("2x2x2", "three whole numbers"),
        ([[1, 2], [3, 4]], "three whole numbers"),
        ([[1, 0, 0], [1, 0, 0], [0, 0, 1]], "determinant 0"),
        ([-1, 1, 1], "determinant -1"),
        ([20, 20, 20], "at most 1000"),
        ([10**400, 1, 1], "three whole numbers"),
    ],
)
def test_a_bad_supercell_matrix_is_one_clear_line(given, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse_supercell_matrix(given)
    assert "\n" not in str(caught.value)


def test_supercell_for_a_length_measures_between_faces():
    primitive = bulk("Cu")
    matrix = supercell_matrix_for_length(primitive.cell.array, 8.0)
    supercell = make_supercell(primitive, matrix)
    heights = supercell.get_volume() / np.array(
        [np.linalg.norm(np.cross(supercell.cell[i - 2], supercell.cell[i - 1])) for i in range(3)]
    )
    assert (heights >= 8).all()
    assert (heights * (np.diag(matrix) - 1) / np.diag(matrix) < 8).all()
    np.testing.assert_array_equal(supercell_matrix_for_length(4.0000001 * np.eye(3) - 2e-7, 8.0), np.diag([2, 2, 2]))
    with pytest.raises(ValueError, match="positive"):
        supercell_matrix_for_length(np.eye(3), -1.0)


def test_lattice_parameters_do_not_depend_on_the_setting():
    conventional = bulk("Cu", a=3.6, cubic=True)
    for atoms in (bulk("Cu", a=3.6), conventional, conventional.repeat((1, 2, 1))):
        found = lattice_parameters(atoms, 1e-4)
        assert found["a"] == pytest.approx(3.6)
        assert found["c_over_a"] == pytest.approx(1)
        assert found["volume"] == pytest.approx(3.6**3 / 4)


def test_space_group_formula_units_and_primitive_cell():
    salt = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    assert space_group(salt, 1e-4) == "Fm-3m (225)"
    assert formula_units(salt) == 4
    assert len(standardised(salt, 1e-4, primitive=True)) == 2
    copper = bulk("Cu", cubic=True)
    copper.positions[1] = copper.positions[0]
    with pytest.raises(ValueError, match="on top of each other"):
        space_group(copper, 1e-2)

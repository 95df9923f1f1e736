"""Lattice parameters of a run: closed forms, any orientation, the parent's axes."""

from __future__ import annotations

import numpy as np
import pytest
from ase.geometry import cellpar_to_cell
from thermal_crystals import rotation

from aiida_crucible.analysis.dynamics.lattice_series import PARAMETERS, lattice_series

MATRIX = np.array([[2, 0, 0], [1, 3, 0], [0, 0, 2]])


def test_planted_parameters_come_back_from_a_rotated_supercell():
    planted = [[3.9 + 0.01 * i, 4.0, 5.1, 88, 91 + 0.1 * i, 119] for i in range(5)]
    units = np.array([cellpar_to_cell(parameters) for parameters in planted])
    supercells = np.array([MATRIX @ cell @ rotation(i) for i, cell in enumerate(units)])
    series = lattice_series(supercells, MATRIX, formula_units=2)
    assert tuple(series.values) == PARAMETERS
    for column, name in enumerate(PARAMETERS[:6]):
        assert series.values[name] == pytest.approx([row[column] for row in planted])
    assert series.values["c_over_a"] == pytest.approx([row[2] / row[0] for row in planted])
    assert series.values["volume"] == pytest.approx(np.abs(np.linalg.det(units)) / 2)


def test_axes_keep_their_names_when_the_polar_axis_turns():
    cells = np.array([np.diag([3.9, 3.9, 4.15])] * 10 + [np.diag([4.15, 3.9, 3.9])] * 10) * 4
    series = lattice_series(cells, np.diag([4, 4, 4]), 1)
    assert series.values["a"][[0, -1]] == pytest.approx([3.9, 4.15])
    assert series.values["c"][[0, -1]] == pytest.approx([4.15, 3.9])


def test_averages_know_the_planted_noise():
    rng = np.random.default_rng(0)
    cells = np.diag([3.9, 3.9, 4.15]) * 2 + 0.02 * rng.standard_normal((4000, 3, 3)) * np.eye(3)
    series = lattice_series(cells, 2 * np.eye(3, dtype=int), 1)
    c = series.averages["c"]
    assert c.mean == pytest.approx(4.15, abs=4 * c.standard_error)
    assert c.standard_deviation == pytest.approx(0.01, rel=0.05)
    assert c.standard_error == pytest.approx(0.01 / np.sqrt(4000), rel=0.3)
    assert series.length_error == pytest.approx(0.01 / np.sqrt(4000), rel=0.5)
    assert series.averages["gamma"].mean == pytest.approx(90)


def test_a_fixed_cell_has_no_error():
    series = lattice_series(np.tile(np.diag([8.0, 8.0, 8.3]), (50, 1, 1)), 2 * np.eye(3, dtype=int), 1)
    assert series.length_error == 0
    assert series.averages["volume"].mean == pytest.approx(8 * 8 * 8.3 / 8)


@pytest.mark.parametrize(
    ("cells", "matrix", "message"),
    [
        (np.zeros((3, 3)), np.eye(3), r"cells of shape \(3, 3\)"),
        (np.zeros((0, 3, 3)), np.eye(3), "at least one frame"),
        (np.full((2, 3, 3), np.nan), np.eye(3), "frame 0 is not finite"),
        (np.ones((2, 3, 3)), np.zeros((3, 3)), "singular"),
    ],
)
def test_broken_input_is_refused(cells, matrix, message):
    with pytest.raises(ValueError, match=message):
        lattice_series(cells, matrix.astype(int), 1)

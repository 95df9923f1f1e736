"""Runs put beside their crystal: whatever drift they have, and whatever frames are broken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from anharmonic_crystals import force_constants, shaken, three_springs

from aiida_crucible.analysis.anharmonicity.force_runs import map_runs

SUPERCELL = np.diag([3, 2, 2])


@pytest.fixture(scope="module")
def constants():
    return force_constants(three_springs(), SUPERCELL)


@pytest.fixture
def run():
    return shaken(three_springs(), SUPERCELL, n_frames=6)


def anharmonic(run, constants):
    """Return the anharmonic forces of all frames, eV/Å."""
    (mapped,) = map_runs([run], constants, None)
    return np.concatenate([rest for _, rest in mapped.parts()])


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_a_drift_over_half_the_supercell_and_a_jump_do_no_harm(run, constants, is_wrapped):
    drifts = np.linspace(0, 0.5, 6)[:, None] * run.cells[0][0] + np.arange(6)[:, None] // 3 * 0.5 * run.cells[0][1]
    moved = run.positions + drifts[:, None]
    if is_wrapped:
        scaled = moved @ np.linalg.inv(run.cells)
        moved = (scaled - np.floor(scaled)) @ run.cells
    assert np.abs(anharmonic(replace(run, positions=moved), constants)).max() < 1e-10


@pytest.mark.parametrize("broken", [np.nan, 0.0])
def test_frames_whose_cell_is_none_are_left_out(run, broken):
    cells = run.cells.copy()
    cells[2] *= broken
    assert replace(run, cells=cells).finite.tolist() == [True, True, False, True, True, True]

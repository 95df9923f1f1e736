"""A sweep's temperatures, jobs and supercell follow from its settings."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from perovskite import tetragonal

from aiida_crucible.analysis.dynamics.sweep_settings import (
    ordered_temperatures,
    plan_jobs,
    strained_unit_cell,
    supercell_matrix,
    sweep_supercell,
    temperature_label,
    validate_sweep,
)


def settings_of(**given):
    return validate_sweep({"temperatures": [500, 300, 400], **given})


@pytest.mark.parametrize(
    ("mode", "order"),
    [("independent", [500, 300, 400]), ("heating", [300, 400, 500]), ("cooling", [500, 400, 300])],
)
def test_chains_are_in_order_and_independent_runs_as_given(mode, order):
    assert ordered_temperatures(settings_of(mode=mode)) == order


def test_every_temperature_has_the_same_number_however_they_are_packed():
    numbers = {}
    for size in (1, 2, 3, 5):
        jobs = plan_jobs(settings_of(temperatures_per_job=size))
        found = {label: job.first + index for job in jobs for index, label in enumerate(job.labels)}
        numbers[size] = found
    assert all(found == {"T500": 0, "T300": 1, "T400": 2} for found in numbers.values())
    assert [len(plan_jobs(settings_of(temperatures_per_job=size))) for size in (1, 2, 3, 5)] == [3, 2, 1, 1]


@pytest.mark.parametrize(("temperature", "label"), [(300.0, "T300"), (312.5, "T312p5"), (1e5, "T100000")])
def test_labels_are_names_that_a_link_may_have(temperature, label):
    assert temperature_label(temperature) == label
    assert label.isidentifier()


def test_the_supercell_is_ordered_cell_by_cell_and_has_the_lengths_asked_for():
    settings = settings_of(supercell_matrix=[2, 2, 3], cell_lengths=[3.90, 3.90, 4.15])
    supercell = sweep_supercell(settings, tetragonal())
    assert supercell.cell.lengths() == pytest.approx([7.80, 7.80, 12.45])
    assert supercell.get_chemical_symbols() == tetragonal().get_chemical_symbols() * 12
    unit = strained_unit_cell(settings, tetragonal())
    np.testing.assert_allclose(unit.get_scaled_positions(), tetragonal().get_scaled_positions(), atol=1e-12)
    np.testing.assert_allclose(supercell.positions[:5], unit.positions, atol=1e-12)


def test_a_length_gives_the_smallest_supercell_that_has_it():
    copper = bulk("Cu", a=3.6, cubic=True)
    assert np.array_equal(supercell_matrix(settings_of(supercell_min_length=7.2), copper), 2 * np.eye(3))
    assert np.array_equal(supercell_matrix(settings_of(supercell_min_length=7.3), copper), 3 * np.eye(3))


def test_many_small_cells_are_allowed_and_too_many_atoms_are_not():
    assert round(np.linalg.det(supercell_matrix(settings_of(supercell_matrix=[20, 20, 20]), bulk("Cu")))) == 8000
    with pytest.raises(ValueError, match="500000 atoms: give one of at most 100000"):
        supercell_matrix(settings_of(supercell_matrix=[50, 50, 40]), tetragonal())

"""What is said of one run: of a crystal that vibrates around a known structure."""

from __future__ import annotations

from dataclasses import replace

import golden_sweep
import numpy as np
import pytest

from aiida_crucible.analysis.dynamics.sweep_settings import validate_sweep
from aiida_crucible.analysis.dynamics.temperature_run import analyse_run, evenly_spaced

NOISE = 0.05


@pytest.fixture(scope="module")
def crystal():
    return golden_sweep.lead_titanate()


@pytest.fixture(scope="module")
def found(crystal):
    return analyse_run(golden_sweep.run_of(crystal, noise=NOISE), crystal, golden_sweep.SETTINGS, is_crystal=True)


def within(average, expected, errors=4.0):
    return abs(average["mean"] - expected) < errors * average["standard_error"]


def test_averages_are_those_that_were_planted(found, crystal):
    averages = found.values["averages"]
    lengths = crystal.unit_cell.cell.lengths()
    for name, expected in zip("abc", lengths, strict=True):
        assert within(averages[name], expected)
    assert within(averages["c_over_a"], lengths[2] / lengths[0])
    assert averages["volume"]["mean"] == pytest.approx(lengths.prod(), rel=2e-3)
    assert within(averages["temperature"], 300.0)


def test_the_structure_is_fully_ordered_and_polar(found, crystal):
    averages = found.values["averages"]
    assert averages["projection"]["mean"] == pytest.approx(1.0, abs=0.02)
    assert found.values["mean_structure"]["space_group"] == "P4mm (99)"
    shifts = crystal.unit_cell.get_scaled_positions() - crystal.reference.get_scaled_positions()
    u = (shifts - np.rint(shifts)) @ crystal.unit_cell.cell.array
    charges = golden_sweep.CHARGES - golden_sweep.CHARGES.mean(axis=0)
    by_hand = np.einsum("iab,ib->a", charges, u)[2] / crystal.unit_cell.get_volume() * 1602.18
    assert averages["polarization_z"]["mean"] == pytest.approx(by_hand, rel=0.02)
    assert within(averages["polarization_x"], 0.0)


def test_lindemann_and_displacements_are_those_of_the_noise(found):
    ratio = found.values["lindemann"]["Ti"]
    assert ratio == pytest.approx(np.sqrt(3) * NOISE / 1.76, rel=0.1)
    displacement = found.arrays["mean_square_displacement_O"]
    assert displacement[1:60] == pytest.approx(np.full(59, 6 * NOISE**2), rel=0.15)
    assert found.arrays["lags"][1] == 20.0


def test_a_run_that_lost_its_crystal_has_a_lattice_but_no_sites(crystal):
    run = golden_sweep.run_of(crystal)
    found = analyse_run(run, crystal, golden_sweep.SETTINGS, is_crystal=False)
    assert found.mean is None
    assert "mean_structure" not in found.values
    assert "a" in found.values["averages"]
    assert "order_parameter" not in found.values["averages"]


def test_a_fixed_cut_is_kept_and_a_detected_one_found(crystal):
    run = golden_sweep.run_of(crystal, n_frames=200)
    drifting = np.concatenate([np.linspace(2000.0, 300.0, 40), run.series["temperature"][40:]])
    run = replace(run, series={**run.series, "temperature": drifting})
    fixed = validate_sweep({**golden_sweep.SETTINGS, "equilibration": "fixed"})
    found = {
        name: analyse_run(run, crystal, settings, is_crystal=False).values["averages"]["temperature"]
        for name, settings in (("fixed", fixed), ("detected", golden_sweep.SETTINGS))
    }
    assert found["fixed"]["cut"] == 0
    assert found["fixed"]["mean"] == pytest.approx(drifting.mean())
    assert 30 <= found["detected"]["cut"] <= 60
    assert within(found["detected"], 300.0)


def test_a_run_without_frames_still_has_its_averages(crystal):
    run = golden_sweep.run_of(crystal)
    empty = replace(run, times=run.times[:0], positions=run.positions[:0], cells=run.cells[:0])
    found = analyse_run(empty, crystal, golden_sweep.SETTINGS, is_crystal=True)
    assert not found.arrays
    assert within(found.values["averages"]["a"], crystal.unit_cell.cell.lengths()[0])


@pytest.mark.parametrize(
    ("steps", "chosen"),
    [([0, 10, 20, 30], [1, 2, 3]), ([0, 10, 20, 30, 35], [1, 2, 3]), ([0, 3], []), ([], []), ([0, 20, 25], [1, 2])],
)
def test_the_last_frame_counts_if_it_is_spaced_as_the_others(steps, chosen):
    assert evenly_spaced(np.array(steps, dtype=int), 5).tolist() == chosen

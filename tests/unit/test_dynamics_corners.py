"""Cells and settings at the edge of what molecular dynamics means: one atom, slabs, turned axes, nothing to scale."""

import numpy as np
import pytest
from ase.build import bulk, fcc111
from engine_jobs import read_arrays, run_here, write_job

from crucible_engine.tasks.dynamics.orientation import Orientation
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.schema import SERIES_COLUMNS

SHORT = {"temperatures": [300.0], "steps": 40, "time_step": 2.0, "series_interval": 1, "frame_interval": 0}


def run(folder, atoms, **parameters):
    write_job(folder, "dynamics", {"it": atoms}, **{**SHORT, **parameters})
    results = run_here(folder)
    if results["condition"] != "finished":
        return results, None
    arrays = read_arrays(folder)
    return dict(zip(SERIES_COLUMNS, arrays["series_0"].T, strict=True)), arrays


@pytest.mark.parametrize("ensemble", ["nve", "nvt-langevin", "nvt-andersen", "nvt-bussi", "npt-berendsen", "npt-mtk"])
def test_one_atom_in_a_cell_moves(tmp_path, ensemble):
    series, _ = run(tmp_path, bulk("Cu"), ensemble=ensemble)
    assert series["temperature"][1:].min() > 0
    assert np.isfinite(series["temperature"]).all()


def test_one_atom_is_refused_where_its_centre_of_mass_rests(tmp_path):
    results, _ = run(tmp_path, bulk("Cu"), ensemble="npt-melchionna")
    assert results["condition"] == "invalid-structure"
    assert results["message"].startswith("npt-melchionna lets the centre of mass rest")


def test_a_slab_without_a_third_vector_has_averages(tmp_path):
    slab = fcc111("Cu", (2, 2, 3), vacuum=8.0)
    slab.pbc = (True, True, False)
    slab.cell[2] = 0
    _, arrays = run(tmp_path, slab, average_from=0.0)
    np.testing.assert_allclose(arrays["mean_positions_0"], slab.positions, atol=0.3)
    assert 1e-5 < arrays["mean_square_displacements_0"].mean() < 0.1


def test_a_mask_follows_the_axes_that_are_turned(tmp_path):
    atoms = bulk("Cu", cubic=True) * (1, 2, 3)
    a, b, c = atoms.cell.array
    atoms.set_cell([c, a, b])
    series, _ = run(tmp_path, atoms, ensemble="npt-melchionna", mask=[0, 0, 1], pressure=3.0)
    cell = np.array([[series[f"cell_{v}{x}"] for x in "xyz"] for v in "abc"])
    moved = np.ptp(cell, axis=2) > 1e-9
    # The first vector lies along z.
    assert moved.tolist() == [[False, False, True], [False, False, False], [False, False, False]]


def test_a_mask_that_the_turned_axes_mix_is_refused(tmp_path):
    crystal = bulk("Cu") * 2
    results, _ = run(tmp_path, crystal, ensemble="npt-melchionna", mask=[0, 0, 1])
    assert results["condition"] == "invalid-job"
    assert "for npt-melchionna this cell has to be turned" in results["message"]
    assert Orientation.of(crystal, triangular=True).turn_mask([1, 1, 1]) == [1, 1, 1]


def test_there_is_nothing_to_scale_at_zero_kelvin():
    with pytest.raises(ValueError, match="'initial_temperature' of dynamics is 0, but nvt-bussi scales velocities"):
        validate_parameters("dynamics", {"ensemble": "nvt-bussi", "initial_temperature": 0})


@pytest.mark.parametrize(("steps", "wanted"), [(19, 10), (20, 10), (20, 11), (5, 3), (7, 1)])
def test_no_more_frames_come_back_than_are_wanted(tmp_path, steps, wanted):
    # The last step is a frame also where it is no multiple of the interval.
    changes = {"steps": steps, "frame_interval": 2, "retrieved_frames": wanted, "series_interval": 3}
    results = run_here(write_job(tmp_path, "dynamics", {"it": bulk("Cu")}, **{**SHORT, **changes}))
    assert 0.5 * wanted <= len(read_arrays(tmp_path)["frame_steps_0"]) <= wanted
    frames, series = (np.load(tmp_path / "run" / f"{name}-0.npy") for name in ("frames", "series"))
    assert results["summary"]["size"]["frames_bytes"] == frames.nbytes
    assert results["summary"]["size"]["series_bytes"] == series.nbytes

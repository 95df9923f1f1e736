"""The task ``relax``: minima, constraints, symmetry, what fails physically, and restarts."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import spglib
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.eos import EquationOfState
from engine_jobs import calculator_from, read_arrays, run_here, write_job

from crucible_engine.job.preflight import Survey
from crucible_engine.tasks.relax.parameters import check_structures
from crucible_engine.wire.schema import JOURNAL_FILE, TRAJECTORIES_FILE, Condition, EngineError
from crucible_engine.wire.structures import read_structures

OPTIMIZERS = ("FIRE", "LBFGS", "BFGS")


def strained(symbol: str = "Cu", factor: float = 1.03) -> Atoms:
    atoms = bulk(symbol, cubic=True)
    atoms.set_cell(atoms.cell * factor, scale_atoms=True)
    return atoms


def tetragonal() -> Atoms:
    return Atoms("Cu4", scaled_positions=bulk("Cu", cubic=True).get_scaled_positions(), cell=[3.7, 3.7, 3.5], pbc=True)


def rattled(amplitude: float = 0.1) -> Atoms:
    rng = np.random.default_rng(1)
    atoms = bulk("Cu", cubic=True)
    atoms.positions += rng.normal(0, amplitude, atoms.positions.shape)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(0, 0.02, (3, 3))), scale_atoms=True)
    return atoms


def relaxed(folder) -> dict[str, Atoms]:
    return dict(read_structures(folder / "arrays.npz"))


@functools.cache
def minimum_of_copper() -> float:
    """Return the volume (Å³) of the conventional cell at the minimum of a fit to energies alone."""
    volumes, energies = [], []
    for factor in np.linspace(0.985, 1.005, 9):
        atoms = strained(factor=factor)
        atoms.calc = EMT()
        volumes.append(atoms.get_volume())
        energies.append(atoms.get_potential_energy())
    return float(EquationOfState(volumes, energies, eos="birchmurnaghan").fit(warn=False)[0])


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_finds_the_minimum_of_the_energy(tmp_path, optimizer):
    structures = {"strained": strained(), "tetragonal": tetragonal()}
    results = run_here(write_job(tmp_path, "relax", structures, optimizer=optimizer, fmax=1e-4))
    assert (results["condition"], results["outcome"]) == ("finished", "converged")
    arrays = read_arrays(tmp_path)
    for index, (label, atoms) in enumerate(relaxed(tmp_path).items()):
        summary = results["summary"]["structures"][label]
        assert summary["volume"] == pytest.approx(minimum_of_copper(), rel=1e-4)
        np.testing.assert_allclose(atoms.cell.lengths(), summary["volume"] ** (1 / 3), rtol=1e-3)
        assert 0 < summary["steps"] < 500
        assert summary["fmax"] < 1e-4
        atoms.calc = EMT()
        assert arrays["energies"][index] == pytest.approx(atoms.get_potential_energy(), abs=1e-10) == summary["energy"]
        np.testing.assert_allclose(arrays["stresses"][index], atoms.get_stress(), atol=1e-10)
        assert np.abs(arrays["stresses"][index]).max() / units.GPa == pytest.approx(summary["max_stress"], abs=1e-6)


def test_the_shape_relaxes_at_a_fixed_volume(tmp_path):
    structures = {"tetragonal": tetragonal(), "rattled": rattled()}
    results = run_here(write_job(tmp_path, "relax", structures, cell="shape", fmax=1e-3, optimizer="LBFGS"))
    assert results["outcome"] == "converged"
    for label, atoms in relaxed(tmp_path).items():
        assert atoms.get_volume() == pytest.approx(structures[label].get_volume(), rel=1e-9)
        stress = read_arrays(tmp_path)["stresses"][list(structures).index(label)] / units.GPa
        assert np.abs(stress[:3] - stress[:3].mean()).max() < 0.05, "only a pressure is left"
        assert np.abs(stress[3:]).max() < 0.05
    lengths = relaxed(tmp_path)["tetragonal"].cell.lengths()
    np.testing.assert_allclose(lengths, lengths[0], rtol=1e-3)


def test_the_volume_relaxes_at_a_fixed_shape(tmp_path):
    results = run_here(write_job(tmp_path, "relax", {"tetragonal": tetragonal()}, cell="volume", fmax=1e-4))
    assert results["outcome"] == "converged"
    before, after = tetragonal(), relaxed(tmp_path)["tetragonal"]
    factor = (after.get_volume() / before.get_volume()) ** (1 / 3)
    np.testing.assert_allclose(after.cell.array, before.cell.array * factor, atol=1e-9)
    stress = read_arrays(tmp_path)["stresses"][0] / units.GPa
    assert abs(stress[:3].mean()) < 0.01
    assert np.abs(stress[:3] - stress[:3].mean()).max() > 1, "the shape is still under stress"


def test_a_fixed_cell_stays_to_the_last_bit(tmp_path):
    atoms = rattled()
    results = run_here(write_job(tmp_path, "relax", {"rattled": atoms}, cell="fixed", optimizer="BFGS"))
    summary = results["summary"]["structures"]["rattled"]
    assert summary["outcome"] == "converged"
    assert summary["max_stress"] is None
    assert summary["max_force"] < 0.01
    np.testing.assert_array_equal(relaxed(tmp_path)["rattled"].cell.array, atoms.cell.array)
    assert np.abs(relaxed(tmp_path)["rattled"].positions - atoms.positions).max() > 0.01


@pytest.mark.parametrize("pressure", [20.0, -2.0])
def test_the_pressure_is_in_gigapascal_and_compresses(tmp_path, pressure):
    folder = write_job(tmp_path, "relax", {"copper": bulk("Cu")}, pressure=pressure, fmax=1e-4, optimizer="BFGS")
    results = run_here(folder)
    assert results["outcome"] == "converged"
    stress = read_arrays(tmp_path)["stresses"][0] / units.GPa
    np.testing.assert_allclose(stress, [-pressure] * 3 + [0] * 3, atol=0.01)
    assert results["summary"]["structures"]["copper"]["max_stress"] < 0.01


@pytest.mark.slow
def test_a_converged_structure_takes_no_step(tmp_path):
    run_here(write_job(tmp_path / "first", "relax", {"copper": strained()}, fmax=1e-3))
    again = write_job(tmp_path / "second", "relax", relaxed(tmp_path / "first"), fmax=1e-3)
    summary = run_here(again)["summary"]["structures"]["copper"]
    assert (summary["outcome"], summary["steps"]) == ("converged", 0)
    before, after = relaxed(tmp_path / "first")["copper"], relaxed(tmp_path / "second")["copper"]
    np.testing.assert_allclose(after.positions, before.positions, atol=1e-12)


def noisy_wurtzite() -> Atoms:
    """Return Cu and Au in P6_3mc with noise within the tolerance, far from their minimum."""
    atoms = bulk("CuAu", "wurtzite", a=4.0, c=6.6)
    atoms.positions += np.random.default_rng(3).normal(0, 1e-4, atoms.positions.shape)
    return atoms


def symmetry_at(atoms: Atoms, tolerance: float) -> int:
    return int(
        spglib.get_symmetry_dataset((atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers), tolerance).number
    )


def test_symmetry_is_kept_to_the_last_digit(tmp_path):
    atoms = noisy_wurtzite()
    assert symmetry_at(atoms, 1e-6) == 1, "noise hides the group from a strict search"
    results = run_here(write_job(tmp_path, "relax", {"wurtzite": atoms}, fmax=1e-3, optimizer="LBFGS"))
    summary = results["summary"]["structures"]["wurtzite"]
    assert summary["outcome"] == "converged"
    assert summary["space_group_before"] == summary["space_group_after"] == {"number": 186, "symbol": "P6_3mc"}
    assert summary["symmetry_kept"] is True
    assert 0 < summary["symmetrization_shift"] < 1e-3
    assert symmetry_at(relaxed(tmp_path)["wurtzite"], 1e-9) == 186


def test_symmetry_is_released_on_request(tmp_path):
    parameters = {"fmax": 1e-3, "optimizer": "LBFGS", "keep_symmetry": False}
    results = run_here(write_job(tmp_path, "relax", {"wurtzite": noisy_wurtzite()}, **parameters))
    summary = results["summary"]["structures"]["wurtzite"]
    assert summary["outcome"] == "converged"
    assert summary["symmetry_kept"] is False
    assert summary["symmetrization_shift"] == 0.0
    assert symmetry_at(relaxed(tmp_path)["wurtzite"], 1e-9) == 1, "nothing tied the atoms to their group"


def test_molecules_relax_without_a_cell(tmp_path):
    results = run_here(write_job(tmp_path, "relax", {"water": molecule("H2O")}, cell="fixed"))
    summary = results["summary"]["structures"]["water"]
    assert summary["outcome"] == "converged"
    assert summary["space_group_before"] is None
    assert summary["volume"] is None
    assert np.isnan(read_arrays(tmp_path)["stresses"]).all()


def test_a_cell_that_is_not_there_cannot_relax(tmp_path):
    results = run_here(write_job(tmp_path, "relax", {"copper": bulk("Cu"), "water": molecule("H2O")}))
    assert results["condition"] == "invalid-structure"
    assert "structure 'water' is not periodic" in results["message"]
    assert "set cell to 'fixed'" in results["message"]


def test_without_spglib_one_line_names_it(monkeypatch):
    survey = Survey()
    survey.add("copper", bulk("Cu"))
    parameters = {"cell": "full", "keep_symmetry": True}
    monkeypatch.setattr("crucible_engine.tasks.relax.parameters.find_spec", lambda name: None)
    with pytest.raises(EngineError, match="no package spglib") as caught:
        check_structures(survey, parameters, "mace")
    assert caught.value.condition is Condition.PACKAGE_MISSING
    assert "env create mace" in caught.value.message
    check_structures(survey, {**parameters, "keep_symmetry": False}, "mace")


def test_two_structures_of_one_name_are_refused(tmp_path):
    folder = write_job(tmp_path, "relax", {"a": bulk("Cu"), "b": bulk("Cu")})
    with np.load(folder / "structures.npz") as archive:
        arrays = {**archive, "labels": np.array(["a", "a"])}
    np.savez(folder / "structures.npz", **arrays)
    results = run_here(folder)
    assert results["condition"] == "invalid-job"
    assert "two structures are labelled 'a'" in results["message"]


def test_too_few_steps_are_a_condition_and_all_is_written(tmp_path):
    structures = {"far": rattled(), "near": bulk("Cu", a=3.59)}
    results = run_here(write_job(tmp_path, "relax", structures, fmax=1e-3, max_steps=15))
    assert (results["condition"], results["outcome"]) == ("not-converged", "not-converged")
    assert "1 of 2 structures (first: 'far') did not reach fmax 0.001 eV/Å in 15 steps" in results["message"]
    summaries = results["summary"]["structures"]
    assert (summaries["far"]["outcome"], summaries["far"]["steps"]) == ("not-converged", 15)
    assert summaries["near"]["outcome"] == "converged"
    assert results["summary"]["n_converged"] == 1
    assert np.abs(relaxed(tmp_path)["far"].positions - rattled().positions).max() > 1e-3
    assert (tmp_path / JOURNAL_FILE).exists(), "more steps go on from it"


@pytest.mark.parametrize(
    ("fault", "outcome"), [({"fault": "nan-after", "calls": 4}, "non-finite"), ({"fault": "expand"}, "runaway")]
)
def test_a_physical_failure_is_a_result(tmp_path, fault, outcome):
    model = calculator_from("faulty_calculators:faulty", **fault)
    results = run_here(write_job(tmp_path, "relax", {"copper": strained()}, model=model))
    assert (results["condition"], results["outcome"]) == ("finished", outcome)
    summary = results["summary"]["structures"]["copper"]
    assert summary["outcome"] == outcome
    assert np.isfinite(relaxed(tmp_path)["copper"].positions).all()
    if outcome == "runaway":
        assert 3 < summary["volume"] / summary["volume_before"] < 3.5
    else:
        assert summary["fmax"] is None
        assert np.isnan(read_arrays(tmp_path)["forces"]).all()


@pytest.mark.slow
def test_trajectories_hold_every_nth_step_and_the_last(tmp_path):
    structures = {"strained": strained(), "tetragonal": tetragonal()}
    results = run_here(write_job(tmp_path, "relax", structures, trajectory_interval=7))
    arrays = read_arrays(tmp_path, TRAJECTORIES_FILE)
    frames = list(read_structures(tmp_path / TRAJECTORIES_FILE))
    for label, atoms in structures.items():
        chosen = arrays["labels"] == label
        last = results["summary"]["structures"][label]["steps"]
        assert arrays["steps"][chosen].tolist() == sorted({*range(0, last + 1, 7), last})
        own = [frame for name, frame in frames if name == label]
        np.testing.assert_allclose(own[0].cell.array, atoms.cell.array, atol=1e-9)
        np.testing.assert_array_equal(own[-1].cell.array, relaxed(tmp_path)[label].cell.array)
        for frame, energy in zip(own, arrays["energies"][chosen], strict=True):
            frame.calc = EMT()
            assert frame.get_potential_energy() == pytest.approx(energy, abs=1e-10)

"""The backend ``lammps`` of dynamics against closed forms: frames, data files, commands, snapshots; its refusals."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.stress import full_3x3_to_voigt_6_stress, voigt_6_to_full_3x3_stress
from engine_jobs import run_here, write_job
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible_engine.tasks.dynamics.lammps.commands import conserved_quantity, fixes
from crucible_engine.tasks.dynamics.lammps.data_file import Species, data_file
from crucible_engine.tasks.dynamics.lammps.dynamics import next_step
from crucible_engine.tasks.dynamics.lammps.ensembles import SUPPORTED
from crucible_engine.tasks.dynamics.lammps.frame import Frame
from crucible_engine.tasks.dynamics.lammps.snapshot import COLUMNS, SCALARS, question, read_snapshot
from crucible_engine.tasks.dynamics.lammps.units import (
    BOLTZMANN,
    MASS,
    MVV2E,
    PICOSECOND,
    PRESSURE,
    TEMPERATURE,
    to_bar,
)
from crucible_engine.tasks.dynamics.parameters import ENSEMBLES
from crucible_engine.tasks.dynamics.settings import Settings
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.rules import ParameterError

CELLS = {
    "cubic": np.eye(3) * 4,
    "lower triangular": np.array([[4.0, 0, 0], [1, 5, 0], [0.5, 0.7, 6]]),
    "upper triangular": np.array([[4.0, 1, 2], [0, 5, 1], [0, 0, 6]]),
    "left-handed": np.array([[0, 4.0, 0], [4, 0, 0], [0, 0, 4]]),
    "mirrored": np.diag([4.0, 5.0, -6.0]),
    "fcc": np.array([[0, 2.0, 2], [2, 0, 2], [2, 2, 0]]),
    "acute": np.array([[3.0, 0.1, 0.2], [2.8, 1.0, 0.1], [2.9, 0.5, 1.2]]),
}


def settings_of(**parameters):
    return Settings(**validate_parameters("dynamics", {"backend": "lammps", **parameters}))


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_a_cell_in_its_frame_is_what_lammps_takes_and_comes_back(cell):
    frame = Frame.of(cell)
    turned = frame.turn_cell(cell)
    assert not np.triu(turned, 1).any() and (np.diag(turned) > 0).all()
    assert np.allclose(frame.cell_back(turned), cell, atol=1e-14)
    assert np.isclose(np.linalg.det(turned), abs(np.linalg.det(cell)))
    if frame.rotation is not None:
        # Turned and not mirrored.
        assert np.allclose(frame.rotation @ frame.rotation.T, np.eye(3)) and np.linalg.det(frame.rotation) > 0
    vectors = np.random.default_rng(0).normal(size=(5, 3))
    assert np.allclose(frame.back(frame.turn(vectors)), vectors)
    # The lattice stays the lattice: what is a whole number of vectors apart in one frame is it in the other.
    shift = np.array([1, -2, 3]) @ cell
    assert np.allclose(frame.turn(shift) @ np.linalg.inv(turned), np.rint(frame.turn(shift) @ np.linalg.inv(turned)))


def test_what_lammps_takes_as_it_is_keeps_its_bits():
    frame = Frame.of(CELLS["lower triangular"])
    vectors = np.random.default_rng(0).normal(size=(5, 3))
    assert frame.rotation is None and frame.turn(vectors) is vectors and frame.back(vectors) is vectors
    assert (frame.turn_cell(CELLS["lower triangular"]) == CELLS["lower triangular"]).all()


@settings(deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=9, max_size=9), st.integers(0, 2**32 - 1))
def test_any_frame_turns_a_stress_as_it_turns_vectors(numbers, seed):
    cell = np.array(numbers).reshape(3, 3) + np.eye(3) * 0.5
    if abs(np.linalg.det(cell)) < 1e-2:
        return
    frame, rng = Frame.of(cell), np.random.default_rng(seed)
    # A sum of dyads of vectors, in both axes.
    first, second = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    tensor = first.T @ second + second.T @ first
    a, b = frame.turn(first), frame.turn(second)
    turned = full_3x3_to_voigt_6_stress(a.T @ b + b.T @ a)
    assert np.allclose(voigt_6_to_full_3x3_stress(frame.stress_back(turned)), tensor)


def test_lammps_computes_with_the_constants_of_ase():
    mass, speed = 26.98, 3.0
    ours = 0.5 * mass * (speed / PICOSECOND) ** 2
    assert 0.5 * mass * MASS * speed**2 * MVV2E == pytest.approx(ours, rel=1e-14)
    thermal = 300 * TEMPERATURE * BOLTZMANN
    assert thermal == pytest.approx(300 * units.kB, rel=1e-15)
    assert to_bar(2.0) / PRESSURE == pytest.approx(2.0 * units.GPa, rel=1e-15)
    for factor in (MASS, TEMPERATURE, to_bar(1.0) / 1e4):
        assert abs(factor - 1) < 1e-5


def test_a_data_file_has_every_digit():
    atoms = Atoms("OHHO", positions=np.random.default_rng(1).normal(size=(4, 3)), cell=CELLS["left-handed"], pbc=True)
    atoms.set_masses([15.999, 2.014, 1.008, 15.999])
    atoms.set_velocities(np.random.default_rng(2).normal(size=(4, 3)) / PICOSECOND)
    species, frame = Species.of(atoms), Frame.of(atoms.cell.array)
    assert species.symbols == ("H", "H", "O") and species.masses == (1.008, 2.014, 15.999)
    assert species.types.tolist() == [3, 2, 1, 3]
    lines = data_file(atoms, frame, species).splitlines()
    assert "4 atoms" in lines and "3 atom types" in lines and "0 4.0 xlo xhi" in lines
    start = lines.index("Atoms # atomic") + 2
    rows = np.array([line.split() for line in lines[start : start + 4]], dtype=float)
    assert (rows[:, 0] == [1, 2, 3, 4]).all() and (rows[:, 1] == species.types).all()
    assert (rows[:, 2:] == frame.turn(atoms.positions)).all()
    start = lines.index("Velocities") + 2
    rows = np.array([line.split() for line in lines[start : start + 4]], dtype=float)
    assert (rows[:, 1:] == frame.turn(atoms.get_velocities()) * PICOSECOND).all()


def test_a_snapshot_comes_back_in_the_axes_and_units_of_ase(tmp_path):
    cell = CELLS["left-handed"] @ np.array([[1, 0.1, 0], [0, 1, 0.2], [0.1, 0, 1]])
    frame, rng = Frame.of(cell), np.random.default_rng(3)
    positions, velocities, forces = rng.normal(size=(3, 5, 3))
    stress = rng.normal(size=6)
    box = frame.turn_cell(cell)
    full = voigt_6_to_full_3x3_stress(stress)
    turned = full if frame.rotation is None else frame.rotation @ full @ frame.rotation.T
    pressures = -turned * PRESSURE
    low = np.array([0.5, -1.0, 2.0])
    high = low + np.diag(box)
    words = [20, -3.25, 1.5, *low, *high, box[1, 0], box[2, 0], box[2, 1]]
    words += [pressures[index] for index in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))]
    rows = np.hstack([np.arange(1, 6)[:, None], frame.turn(positions) + low, frame.turn(velocities) * PICOSECOND,
                      frame.turn(forces)])  # fmt: skip
    path = tmp_path / "snapshot.dump"
    text = "\n".join(" ".join(repr(float(number)) for number in row) for row in rows)
    path.write_text(f"ITEM: TIMESTEP\n20\nITEM: ATOMS {' '.join(COLUMNS)}\n{text}\n")
    found = read_snapshot([repr(float(word)) for word in words], path, 5, frame)
    assert (found.step, found.energy, found.conserved) == (20, -3.25, 1.5)
    assert np.allclose(found.cell, cell) and np.allclose(found.positions, positions)
    assert np.allclose(found.velocities, velocities) and np.allclose(found.forces, forces)
    assert np.allclose(found.stress, stress)


def test_a_snapshot_of_other_atoms_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("crucible_engine.tasks.dynamics.lammps.snapshot.SECONDS_TO_APPEAR", 0.0)
    path = tmp_path / "snapshot.dump"
    path.write_text("ITEM: ATOMS id\n1 2 3\n")
    with pytest.raises(ValueError, match="3 numbers, not 10 for each of 5 atoms"):
        read_snapshot(["1"] * len(SCALARS), path, 5, Frame.of(np.eye(3)))


def test_each_ensemble_has_its_commands():
    assert fixes(settings_of(ensemble="nve"), (300, 300), True, 1) == ["fix md all nve"]
    md, heat, rest = fixes(settings_of(ensemble="nvt-langevin", friction=0.02), (300, 300), True, 7)
    assert md == "fix md all nve" and rest == "fix rest all momentum 1 linear 1 1 1"
    # 0.02/fs is a time of 50 fs.
    assert float(heat.split()[6]) == pytest.approx(0.05) and heat.endswith(" 7")
    assert float(heat.split()[4]) == pytest.approx(300, rel=1e-5)
    chain, freedom = fixes(settings_of(ensemble="nvt-nose-hoover-chain", chain_length=4), (300, 600), False, 1)
    assert chain.startswith(("fix md all nvt temp 29", "fix md all nvt temp 30"))
    assert chain.endswith(" 0.1 tchain 4") and freedom == "compute_modify md_temp extra/dof 0"
    npt, freedom = fixes(settings_of(ensemble="npt-mtk", pressure=1.0), (300, 300), True, 1)
    assert " tri " in npt and "flip no" in npt and freedom.endswith(" 3")
    assert " iso " in fixes(settings_of(ensemble="npt-mtk-isotropic"), (300, 300), True, 1)[0]


def test_the_isotropic_barostat_counts_its_energies_itself():
    assert conserved_quantity(settings_of(ensemble="npt-mtk")) == "econserve"
    # Three thermostats, one strain, three thermostats of it: 14 variables, and then as many energies.
    words = conserved_quantity(settings_of(ensemble="npt-mtk-isotropic"))
    assert words == "+".join(["etotal", *(f"f_md[{index}]" for index in range(15, 29))])
    assert f"$({words}:%.17g)" in question(words)


def test_steps_lie_where_anything_is_recorded_or_looked_at():
    every = settings_of(steps=47, series_interval=6, frame_interval=4, watch_interval=10)
    reached, step = [], 0
    while step < every.steps:
        step = next_step(every, step)
        reached.append(step)
    assert reached == [*range(2, 47, 2), 47]
    assert next_step(settings_of(steps=100, series_interval=10, frame_interval=0, watch_interval=20), 0) == 10


@pytest.mark.parametrize("ensemble", sorted(set(ENSEMBLES) - set(SUPPORTED)))
def test_an_ensemble_that_lammps_has_not_is_refused(ensemble):
    with pytest.raises(ParameterError, match=f"'{ensemble}', which LAMMPS has no equal of: choose one of nve"):
        validate_parameters("dynamics", {"backend": "lammps", "ensemble": ensemble})


def test_a_mask_is_refused():
    with pytest.raises(ParameterError, match="'mask' of dynamics means nothing to LAMMPS"):
        validate_parameters("dynamics", {"backend": "lammps", "ensemble": "npt-mtk", "mask": [1, 1, 0]})


def test_a_family_without_a_pair_style_is_refused(tmp_path):
    job = write_job(tmp_path, "dynamics", {"copper": bulk("Cu", cubic=True)}, backend="lammps", steps=1)
    results = run_here(job)
    assert results["condition"] == "capability-missing"
    assert "no pair style of LAMMPS is known for family 'emt' (one is for deepmd)" in results["message"]

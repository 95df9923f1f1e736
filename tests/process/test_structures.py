"""Structures and trajectories survive the way to ASE and back."""

from __future__ import annotations

import numpy as np
import pytest
from aiida.orm import StructureData
from ase import Atoms
from ase.build import bulk, fcc111, molecule

from aiida_crucible.nodes.structures import (
    atoms_to_trajectory,
    from_atoms,
    require_crystal,
    to_atoms,
    trajectory_to_atoms,
    with_geometry,
)


@pytest.mark.parametrize(
    "atoms",
    [
        bulk("NaCl", "rocksalt", a=5.6),
        bulk("Cu", cubic=True) * (2, 1, 1),
        molecule("H2O"),
        fcc111("Al", (1, 1, 2), vacuum=5),
    ],
    ids=["crystal", "supercell", "molecule", "slab"],
)
def test_round_trip(atoms):
    back = to_atoms(from_atoms(atoms))
    assert back.get_chemical_symbols() == atoms.get_chemical_symbols()
    assert np.array_equal(back.positions, atoms.positions)
    assert np.array_equal(back.pbc, atoms.pbc)
    if atoms.pbc.any():
        assert np.allclose(back.cell.array[atoms.pbc], atoms.cell.array[atoms.pbc], rtol=0, atol=0)


def test_partial_occupancy_is_refused():
    structure = StructureData(cell=np.eye(3) * 3.6)
    structure.append_atom(symbols=["Cu", "Au"], weights=[0.5, 0.5], position=(0, 0, 0), name="CuAu")
    with pytest.raises(ValueError, match="kind 'CuAu' are partially occupied"):
        to_atoms(structure)


def test_vacancies_are_refused():
    structure = StructureData(cell=np.eye(3) * 3.6)
    structure.append_atom(symbols=["Cu"], weights=[0.9], position=(0, 0, 0), name="Cu1")
    with pytest.raises(ValueError, match="kind 'Cu1' are partially occupied"):
        to_atoms(structure)


def test_geometry_is_put_back_into_kinds():
    structure = StructureData(cell=np.eye(3) * 4)
    structure.append_atom(symbols="Fe", position=(0, 0, 0), name="Fe_up", mass=57.0)
    structure.append_atom(symbols="Fe", position=(2, 2, 2), name="Fe_down")
    moved = with_geometry(structure, np.diag([4.0, 4.0, 5.0]), np.array([[0.0, 0.0, 0.1], [2.0, 2.0, 2.5]]))
    assert [site.kind_name for site in moved.sites] == ["Fe_up", "Fe_down"]
    assert moved.get_kind("Fe_up").mass == 57.0
    assert moved.cell[2][2] == 5.0
    assert moved.sites[1].position == (2.0, 2.0, 2.5)
    assert structure.cell[2][2] == 4.0


@pytest.mark.parametrize(
    "cell", [np.full((3, 3), np.nan), np.zeros((3, 3)), np.array([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [4.0, 4.0, 0.0]])]
)
def test_what_is_no_geometry_is_none(cell):
    structure = StructureData(cell=np.eye(3) * 4)
    structure.append_atom(symbols="Fe", position=(0, 0, 0))
    assert with_geometry(structure, cell, np.zeros((1, 3))) is None
    assert with_geometry(structure, np.eye(3), np.full((1, 3), np.inf)) is None


def test_a_molecule_needs_no_cell():
    structure = StructureData(pbc=[False] * 3)
    structure.append_atom(symbols="Fe", position=(0, 0, 0))
    assert with_geometry(structure, np.zeros((3, 3)), np.ones((1, 3))).sites[0].position == (1.0, 1.0, 1.0)


def test_trajectory_round_trip():
    frames = [bulk("Cu", cubic=True) for _ in range(3)]
    for index, frame in enumerate(frames):
        frame.set_cell(frame.cell * (1 + 0.01 * index), scale_atoms=True)
    trajectory = atoms_to_trajectory(frames, steps=[0, 10, 20])
    assert trajectory.get_stepids().tolist() == [0, 10, 20]
    for back, frame in zip(trajectory_to_atoms(trajectory), frames, strict=True):
        assert back == frame


def test_trajectory_of_a_molecule_has_no_cell():
    trajectory = atoms_to_trajectory([molecule("H2O"), molecule("H2O")])
    assert trajectory.get_cells() is None
    assert not next(trajectory_to_atoms(trajectory)).pbc.any()


def test_frames_of_different_atoms_are_refused():
    with pytest.raises(ValueError, match="frame 1 has other atoms"):
        atoms_to_trajectory([Atoms("CO", [(0, 0, 0), (0, 0, 1)]), Atoms("OC", [(0, 0, 0), (0, 0, 1)])])


@pytest.mark.parametrize(("pbc", "what"), [((1, 1, 0), "a slab"), ((0, 0, 1), "a wire"), ((0, 0, 0), "a molecule")])
def test_what_is_no_crystal_is_named(pbc, what):
    structure = from_atoms(Atoms("Cu", cell=[4, 4, 4], pbc=pbc))
    with pytest.raises(ValueError, match=f"Cu is {what}.*but a phonon calculation needs a crystal"):
        require_crystal(structure, "a phonon calculation")

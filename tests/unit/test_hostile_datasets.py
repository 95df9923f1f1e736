"""Data bases and folders that somebody else made: numbers are read of them, and nothing runs."""

from __future__ import annotations

import os
import sqlite3

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect

from aiida_crucible.references.labels import read_labels, validate_labels
from aiida_crucible.references.trajectories.ase_database import iterate_database
from aiida_crucible.references.trajectories.deepmd import iterate_deepmd

SETTINGS = {"theory": "PBE"}


class RunsCode:
    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def labelled(index):
    atoms = bulk("Cu", cubic=True)
    rng = np.random.default_rng(index)
    atoms.positions += rng.normal(0, 0.05, (4, 3))
    stress = rng.normal(0, 0.01, 6)
    atoms.calc = SinglePointCalculator(atoms, energy=-3.7 * index, forces=rng.normal(size=(4, 3)), stress=stress)
    return atoms


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "frames.db"
    with connect(path) as rows:
        for index in range(3):
            rows.write(labelled(index), source="md")
    return path


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "copper"
    (path / "set.000").mkdir(parents=True)
    frames = [labelled(index) for index in range(3)]
    (path / "type.raw").write_text("0\n0\n0\n0\n")
    (path / "type_map.raw").write_text("Cu\n")
    arrays = {
        "coord": [atoms.positions.ravel() for atoms in frames],
        "box": [atoms.cell.array.ravel() for atoms in frames],
        "energy": [atoms.get_potential_energy() for atoms in frames],
        "force": [atoms.get_forces().ravel() for atoms in frames],
        "virial": [-atoms.get_volume() * atoms.get_stress(voigt=False).ravel() for atoms in frames],
    }
    for name, values in arrays.items():
        np.save(path / "set.000" / f"{name}.npy", np.array(values))
    return path


@pytest.mark.parametrize("kind", ["database", "folder"])
def test_frames_are_what_was_written(kind, request):
    (group,) = read_labels(request.getfixturevalue(kind), validate_labels(SETTINGS | {"subset_key": "source"}))
    for index in range(3):
        atoms = labelled(index)
        assert group.positions[index] == pytest.approx(atoms.positions)
        assert group.cells[index] == pytest.approx(atoms.cell.array)
        assert group.energies[index] == pytest.approx(atoms.get_potential_energy())
        assert group.forces[index] == pytest.approx(atoms.get_forces())
        assert group.stresses[index] == pytest.approx(atoms.get_stress())
    assert group.subsets == ["md" if kind == "database" else "copper"] * 3


def test_a_part_of_the_frames(database, folder):
    for path in (database, folder):
        (group,) = read_labels(path, validate_labels(SETTINGS | {"start": 1, "stride": 2}))
        assert group.places.tolist() == [1]


def test_the_unit_of_a_stress_that_a_format_tells_is_not_chosen(database, folder):
    for path in (database, folder):
        with pytest.raises(ValueError, match="whose stress has its unit and sign: leave stress_sign out"):
            read_labels(path, validate_labels(SETTINGS | {"stress_sign": "opposite"}))


def changed(path, statement):
    with sqlite3.connect(path) as connection:
        connection.executescript(statement)
    return path


VIEW = """
ALTER TABLE systems RENAME TO kept;
CREATE VIEW systems AS SELECT * FROM kept, (WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x
FROM n);
"""


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (VIEW, "it has no table 'systems'"),
        ("DROP TABLE systems;", "it has no table 'systems'"),
        ("UPDATE systems SET positions = x'00';", "a column of a row holds no numbers"),
        ("UPDATE systems SET forces = x'0000000000000000';", "forces of a row has 1 numbers where 12 were expected"),
        ("UPDATE systems SET numbers = NULL;", "a row has no atoms"),
        ("UPDATE systems SET pbc = 'all';", "no periodicity"),
        ("UPDATE systems SET key_value_pairs = '[[[';", "Expecting value"),
    ],
)
def test_a_database_that_is_none(database, statement, said):
    with pytest.raises(ValueError, match=said):
        list(iterate_database(changed(database, statement)))


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "frames.db"
    path.write_bytes(b"SQLite format 3\0" + bytes(200))
    with pytest.raises(ValueError, match="no data base of ASE in SQLite"):
        list(iterate_database(path))


def test_nothing_that_a_folder_holds_runs(folder, tmp_path):
    marker = tmp_path / "ran"
    np.save(folder / "set.000" / "force.npy", np.array([RunsCode(marker)] * 3, dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"force\.npy is damaged"):
        list(iterate_deepmd(folder))
    assert not marker.exists()


def shortened(path):
    path.write_bytes(path.read_bytes()[:-8])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: shortened(path / "set.000" / "coord.npy"), r"coord\.npy is damaged"),
        (lambda path: np.save(path / "set.000" / "energy.npy", np.zeros(2)), r"energy\.npy has shape \(2, 1\)"),
        (lambda path: np.save(path / "set.000" / "box.npy", np.full(3, "x")), r"box\.npy holds no numbers"),
        (lambda path: (path / "set.000" / "box.npy").unlink(), r"has no box\.npy"),
        (lambda path: (path / "type.raw").write_text("0 0 0 7"), "a type is not among the 1"),
        (lambda path: (path / "type.raw").write_text("0 0 -1 0"), "where whole numbers were expected"),
        (lambda path: (path / "type.raw").unlink(), "is none of deepmd's"),
        (lambda path: (path / "type_map.raw").write_text("Xx"), "no chemical element"),
    ],
)
def test_a_folder_that_is_none(folder, change, said):
    change(folder)
    with pytest.raises(ValueError, match=said):
        list(iterate_deepmd(folder))

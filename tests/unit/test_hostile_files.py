"""Structures, trajectories and force constants from elsewhere: formats that are only read, and bounded ones."""

from __future__ import annotations

import gzip
import json
import pickle
import sqlite3
from pathlib import Path

import h5py
import numpy as np
import pytest
from ase.build import bulk
from ase.db import connect
from ase.io import write
from ase.io.formats import ioformats

from aiida_crucible.references import foreign_files
from aiida_crucible.references.phonopy.atom_order import read_structure
from aiida_crucible.references.phonopy.constants import check_announced
from aiida_crucible.references.settings import validate_trajectory
from aiida_crucible.references.trajectories.frames import iterate_frames


class RunsCode:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def first_frame(path, **settings):
    return next(iterate_frames(path, validate_trajectory(settings)))


def test_formats_that_are_more_than_text_are_not_chosen(tmp_path):
    """A data base, a folder of objects, a binary of another program, a pickle; the known ones are all ASE's."""
    assert set(foreign_files.STRUCTURE_FORMATS) <= {name for name, kind in ioformats.items() if kind.can_read}
    refused = {"db", "json", "bundletrajectory", "gpw", "netcdftrajectory", "mysql", "postgresql", "nomad-json"}
    assert not refused & set(foreign_files.STRUCTURE_FORMATS)
    marker = tmp_path / "ran"
    connect(tmp_path / "a.db").write(bulk("Cu"))
    connect(tmp_path / "a.json").write(bulk("Cu"))
    (tmp_path / "old.traj").write_bytes(b"PickleTrajectory" + pickle.dumps(RunsCode(marker)))
    (tmp_path / "POSCAR.pckl").write_bytes(pickle.dumps(RunsCode(marker)))
    (tmp_path / "folder.bundle").mkdir()
    for name in ("a.db", "a.json", "old.traj", "POSCAR.pckl", "folder.bundle"):
        with pytest.raises(ValueError, match=name.replace(".", r"\.")) as caught:
            read_structure(tmp_path / name)
        assert "\n" not in str(caught.value)
    assert not marker.exists()


def test_a_data_base_is_not_even_opened(tmp_path, monkeypatch):
    connect(tmp_path / "a.db").write(bulk("Cu"))

    def refuse(*arguments, **settings):
        raise AssertionError("it was opened")

    monkeypatch.setattr(sqlite3, "connect", refuse)
    with pytest.raises(ValueError, match="of format 'db' to ASE, which is not read here: write it as CIF"):
        read_structure(tmp_path / "a.db")


@pytest.mark.parametrize(
    "name", ["POSCAR", "a@b.cif", "a.extxyz", "a.cif.gz", "POSCAR.xz", "a.traj", "a.xsf", "geometry.in"]
)
def test_usual_structures_are_read(tmp_path, name):
    atoms = bulk("NaCl", "rocksalt", 5.6, cubic=True)
    write(tmp_path / "plain.traj" if name == "a.traj" else tmp_path / name, atoms)
    if name == "a.traj":
        (tmp_path / "plain.traj").rename(tmp_path / name)
    found = read_structure(tmp_path / name)
    assert found.get_chemical_formula() == "Cl4Na4" and np.allclose(found.cell, atoms.cell, atol=1e-6)


@pytest.mark.parametrize("name", ["POSCAR.gz", "a.cif.gz"])
def test_a_compressed_structure_is_bounded(tmp_path, monkeypatch, name):
    monkeypatch.setattr(foreign_files, "LARGEST_STRUCTURE", 100_000)
    (tmp_path / name).write_bytes(gzip.compress(b"0" * 100_001))
    with pytest.raises(ValueError, match="holds more than 100000 bytes"):
        read_structure(tmp_path / name)
    (tmp_path / "POSCAR").write_bytes(b"0" * 100_001)
    with pytest.raises(ValueError, match="holds more than 100000 bytes"):
        read_structure(tmp_path / "POSCAR")


@pytest.mark.parametrize("name", ["a.xyz", "a.xyz.gz"])
def test_a_frame_that_announces_more_atoms_than_it_has_comes_to_an_end(tmp_path, name):
    text = b'999999999999\nLattice="1 0 0 0 1 0 0 0 1"\nCu 0 0 0\n'
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    with pytest.raises(ValueError, match="frame 0: line 1 announces 999999999999 atoms"):
        first_frame(tmp_path / name)
    with pytest.raises(ValueError, match="ends in the middle of a frame"):
        read_structure(tmp_path / name)


def test_a_line_without_end_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(foreign_files, "LONGEST_LINE", 1000)
    (tmp_path / "a.xyz").write_text("1\n" + "0" * 2000 + "\nCu 0 0 0\n")
    with pytest.raises(ValueError, match="a line of more than 1000 characters"):
        first_frame(tmp_path / "a.xyz")


def test_a_compressed_trajectory_is_bounded(tmp_path, monkeypatch):
    (tmp_path / "vasprun.xml.gz").write_bytes(gzip.compress(b"<modeling>" + b" " * 10_000_000))
    monkeypatch.setattr(foreign_files.open_bytes.__wrapped__, "__defaults__", (100_000,))
    with pytest.raises(ValueError, match="holds more than 100000 bytes: give a part of it"):
        first_frame(tmp_path / "vasprun.xml.gz")


def test_entities_of_xml_do_not_multiply(tmp_path):
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    (tmp_path / "vasprun.xml").write_text(
        f'<!DOCTYPE m [<!ENTITY l0 "{"0" * 100}">{levels}<!ENTITY outside SYSTEM "file:///etc/passwd">]>'
        "<modeling><generator>&l11;</generator></modeling>"
    )
    with pytest.raises(ValueError, match="breaks off behind 0 complete steps"):
        first_frame(tmp_path / "vasprun.xml")


def repeated(**parts):
    """Return the bytes of a trajectory of ASE's whose single frame has these parts."""
    text = json.dumps(parts).encode()
    head = b"- of UlmASE-Trajectory".ljust(24)
    return head + np.array([1, 1, 48, 56, len(text)], dtype="<i8").tobytes() + text


@pytest.mark.parametrize(
    "parts",
    [
        {"info": {"__ndarray__": [[10**10], "float64", [0]]}},
        {"constraints": json.dumps([{"name": "FixAtoms", "kwargs": {"i": {"__ndarray__": [[10**10], "int64", [0]]}}}])},
        {"numbers.": {"ndarray": [[10**10], "int64", 48]}},
        {"numbers.": {"ndarray": [[-1, 10**10], "int64", 48]}},
        {"calculator.": {"forces.": {"ndarray": [[2**40, 3], "float64", 48]}}},
    ],
)  # fmt: skip
def test_a_small_trajectory_stays_small(tmp_path, parts):
    path = tmp_path / "a.traj"
    path.write_bytes(repeated(version=3, ase_version="3.29.0", pbc=[True] * 3, **parts))
    for read in (first_frame, read_structure):
        with pytest.raises(ValueError, match=r"a\.traj.*an array in it is larger than what it holds"):
            read(path)


@pytest.mark.parametrize("content", [b"- of UlmASE-Trajectory", b"x" * 48 + b"\xff" * 100, b""])
def test_a_trajectory_whose_table_lies_elsewhere_is_refused(tmp_path, content):
    path = tmp_path / "a.traj"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.traj"):
        first_frame(path)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("FORCE_CONSTANTS", "100000 100000\n1 1\n0 0 0\n"),
        ("FORCE_CONSTANTS", "100000\n1 1\n0 0 0\n"),
        ("FORCE_SETS", "999999999999\n1\n\n1\n0.01 0 0\n0 0 0\n"),
    ],
)
def test_force_constants_that_are_announced_have_to_be_there(tmp_path, kind, text):
    (tmp_path / kind).write_text(text)
    with pytest.raises(ValueError, match="announces more numbers than it holds"):
        check_announced(tmp_path / kind, kind, 4)


@pytest.mark.parametrize("kind", ["huge", "outside", "external", "virtual", "object", "sound"])
def test_an_hdf5_holds_its_own_numbers(tmp_path, kind):
    path = tmp_path / "force_constants.hdf5"
    with h5py.File(path, "w") as file:
        shape = (10**5, 10**5, 3, 3) if kind == "huge" else (2, 4, 3, 3)
        if kind == "outside":
            file["force_constants"] = h5py.ExternalLink("/etc/other.hdf5", "x")
        elif kind == "external":
            storage = [("/etc/passwd", 0, h5py.h5f.UNLIMITED)]
            file.create_dataset("force_constants", shape=shape, dtype="f8", external=storage)
        elif kind == "virtual":
            layout = h5py.VirtualLayout(shape=shape, dtype="f8")
            layout[:] = h5py.VirtualSource("/etc/other.hdf5", "x", shape=shape)
            file.create_virtual_dataset("force_constants", layout)
        else:
            kwargs = {"chunks": (10, 10, 3, 3), "compression": "gzip"} if kind == "huge" else {}
            file.create_dataset("force_constants", shape=shape, dtype="f8", **kwargs)
        if kind == "object":
            file["p2s_map"] = h5py.SoftLink("/force_constants")
    if kind == "sound":
        check_announced(path, "force_constants.hdf5", 4)
        return
    with pytest.raises(ValueError, match=r"no array of this file|but the supercell has 4 atoms"):
        check_announced(path, "force_constants.hdf5", 4)

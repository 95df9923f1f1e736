"""The recommended path is that of the crystal as it stands, however it is turned, with seekpath 1.9 and 2."""

from __future__ import annotations

import numpy as np
import pytest
import seekpath
from ase.build import bulk
from phonopy import Phonopy
from phonopy.structure.atoms import PhonopyAtoms

from aiida_crucible.analysis.phonons.spectra import seekpath_path

CRYSTALS = {
    "copper": bulk("Cu"),
    "rock salt": bulk("NaCl", "rocksalt", 5.6),
    "titanium": bulk("Ti"),
    "indium": bulk("In", "bct", 3.25, c=4.95),
}


def phonon_of(atoms, seed):
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    cell = PhonopyAtoms(symbols=atoms.symbols, cell=atoms.cell @ turn, scaled_positions=atoms.get_scaled_positions())
    return Phonopy(cell, primitive_matrix="P")


def test_the_zone_of_copper_ends_where_it_should():
    phonon = phonon_of(CRYSTALS["copper"], 0)
    path = seekpath_path(phonon, 1e-4)
    ends = {
        name: point
        for pair, points in zip(path.labels, path.segments, strict=True)
        for name, point in zip(pair, points, strict=True)
    }
    lengths = {
        name: np.linalg.norm(np.linalg.inv(phonon.primitive.cell) @ ends[name]) * 3.61 for name in ("X", "L", "K")
    }
    assert lengths == pytest.approx({"X": 1, "L": np.sqrt(3) / 2, "K": np.sqrt(9 / 8)})


@pytest.mark.skipif(not hasattr(seekpath, "get_path_orig_cell"), reason="seekpath 1.9 has nothing to compare with")
@pytest.mark.parametrize("name", CRYSTALS)
def test_it_is_the_path_of_seekpath_2(name):
    phonon = phonon_of(CRYSTALS[name], 2)
    cell = phonon.primitive
    theirs = seekpath.get_path_orig_cell((cell.cell, cell.scaled_positions, cell.numbers), symprec=1e-4)
    points = [[theirs["point_coords"][name] for name in pair] for pair in theirs["path"]]
    np.testing.assert_allclose(seekpath_path(phonon, 1e-4).segments, points, atol=1e-12)

"""One crystal is recognised in any cell, origin and order of atoms; another phase of it is another crystal."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell

from aiida_crucible.analysis.crystal.same_crystal import is_same_crystal
from aiida_crucible.references.published import pto_test

ROCK_SALT = bulk("NaCl", "rocksalt", a=5.6)


def shifted(atoms):
    moved = atoms.copy()
    moved.positions += [0.3, 0.1, 0.7]
    moved.wrap()
    return moved[::-1]


def strained(atoms, strain):
    other = atoms.copy()
    other.set_cell(other.cell.array @ np.diag([1.0, 1.0, 1 + strain]), scale_atoms=True)
    return other


def displaced(atoms, length):
    other = atoms.copy()
    other.positions[0, 2] += length
    return other


@pytest.mark.parametrize(
    "other",
    [
        ROCK_SALT,
        bulk("NaCl", "rocksalt", a=5.6, cubic=True),
        shifted(bulk("NaCl", "rocksalt", a=5.6, cubic=True) * (1, 1, 2)),
        make_supercell(ROCK_SALT, [[1, 1, 0], [0, 1, 0], [0, 0, 1]]),
        displaced(ROCK_SALT, 1e-5),
    ],
    ids=["itself", "conventional", "shifted supercell", "other axes", "rounded"],
)
def test_the_same_crystal_is_recognised(other):
    assert is_same_crystal(ROCK_SALT, other)
    assert is_same_crystal(other, ROCK_SALT)


@pytest.mark.parametrize(
    "other",
    [
        bulk("NaCl", "cesiumchloride", a=3.4),
        bulk("NaCl", "rocksalt", a=5.61),
        strained(ROCK_SALT, 1e-3),
        displaced(bulk("NaCl", "rocksalt", a=5.6, cubic=True), 0.05),
        Atoms("NaCl", positions=[[0, 0, 0], [1.4, 1.4, 1.4]], cell=ROCK_SALT.cell, pbc=True),
    ],
    ids=["other phase", "larger", "strained", "displaced", "zinc blende"],
)
def test_another_crystal_is_another(other):
    assert not is_same_crystal(ROCK_SALT, other)


def test_phases_of_lead_titanate_differ():
    phases = [pto_test.starting_cell(name) for name in ("tetragonal", "cubic")]
    assert not is_same_crystal(*phases)
    assert is_same_crystal(phases[0], shifted(phases[0]))

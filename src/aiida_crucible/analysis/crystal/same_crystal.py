"""Whether two structures are one crystal, whatever cells, origins and orders of atoms they come in."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from aiida_crucible.analysis.crystal.cells import standardised
from aiida_crucible.analysis.crystal.displacements import displacements
from aiida_crucible.analysis.crystal.mapping import map_crystal

SAME_PLACE = 1e-3
"""Å by which atoms may differ in their places: copies of a file differ by less, a relaxation ends nearer than phases
are to each other."""

SAME_LENGTH = 1e-4
"""By which a cell may be strained, relative."""


def is_same_crystal(one: Atoms, other: Atoms) -> bool:
    """Return whether two structures are the same crystal at the same strain."""
    cells = [standardised(atoms, SAME_PLACE, primitive=True) for atoms in (one, other)]
    if len(cells[0]) != len(cells[1]):
        return False
    try:
        mapping = map_crystal(cells[0], cells[1])
    except ValueError:  # one is no supercell of the other
        return False
    stretch = np.linalg.svd(np.linalg.inv(cells[0].cell.array) @ mapping.unstrained.cell.array, compute_uv=False)
    moved = displacements(cells[0].positions[None], cells[0].cell.array, mapping.ideal)
    return bool(np.abs(stretch - 1).max() < SAME_LENGTH and np.abs(moved).max() < SAME_PLACE)

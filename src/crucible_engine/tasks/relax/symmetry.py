"""The space group of a structure: found, made exact, and kept while the structure relaxes."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from ase import Atoms
from ase.constraints import FixSymmetry
from ase.spacegroup.symmetrize import check_symmetry

from crucible_engine.wire.schema import Condition, EngineError


def find_space_group(atoms: Atoms, tolerance: float) -> dict[str, Any] | None:
    """Return the space group of a crystal as ``{"number", "symbol"}``, of the International Tables.

    ``None`` where spglib is missing or finds no space group.

    :param atoms: periodic in three directions.
    :param tolerance: Å.
    """
    dataset = check_symmetry(atoms, symprec=tolerance) if find_spec("spglib") else None
    return None if dataset is None else {"number": int(dataset.number), "symbol": str(dataset.international)}


def symmetrize(label: str, atoms: Atoms, tolerance: float) -> FixSymmetry | None:
    """Make a crystal obey its space group to the last digit and return the constraint that keeps it so.

    Noise within the tolerance would otherwise lower the group that stricter searches find later: tetragonal PbTiO3 then
    needs 30 displacements for its phonons instead of 8.

    :param label: what messages call the crystal.
    :param atoms: periodic in three directions; its cell and positions are changed in place, by about the tolerance.
    :param tolerance: Å.
    :return: the constraint, not yet set, ``None`` for P1. It acts in fractional coordinates and so suits every later
        geometry.
    :raises EngineError: ``INVALID_STRUCTURE``, if no space group is found at this tolerance.
    """
    problem = EngineError(
        Condition.INVALID_STRUCTURE,
        f"no consistent space group of structure {label!r} is found at symmetry_tolerance {tolerance:g} Å: "
        "choose another tolerance, or set keep_symmetry to false",
    )
    before = find_space_group(atoms, tolerance)
    if before is None:
        raise problem
    if before["number"] == 1:
        return None
    constraint = FixSymmetry(atoms, symprec=tolerance)
    if find_space_group(atoms, tolerance) != before:
        raise problem
    return constraint


def largest_shift(before: Atoms, after: Atoms) -> float:
    """Return by how much the atom that moved most did, Å; atoms keep their order and periodic image."""
    return float(np.linalg.norm(after.positions - before.positions, axis=1).max())

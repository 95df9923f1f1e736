"""Are two structures the same atoms in the same order? And if not, what is it that differs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms, units
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.mapping import CrystalMapping, map_crystal
from aiida_crucible.nodes.foreign_atoms import require_whole_atoms
from aiida_crucible.references.foreign_files import read_atoms, unreadable
from crucible_engine.job.preflight import check_structure
from crucible_engine.wire.schema import EngineError

SAME_PLACE = 1e-2
"""Å by which an atom of one listing of a crystal may differ from the other's: files are written with few digits."""

LARGEST_EXPANSION = 1.25
"""Ratio of lengths (or its inverse) beyond which two structures are different crystals, whatever their atoms do."""

UNIT_TOLERANCE = 0.05
"""Relative deviation from 1 Bohr within which the ratio of two lengths is taken for a mistake of units."""


def read_structure(path: Path) -> Atoms:
    """Return the crystal in a file, see :func:`aiida_crucible.references.foreign_files.read_atoms`.

    :raises ValueError: one line that names the file; also if sites are partially occupied or atoms lie on top of each
        other.
    """
    try:
        atoms = read_atoms(path)
    except Exception as error:
        raise ValueError(f"{path.name} is no structure that ASE reads: {unreadable(path, error)}") from error
    require_finite(path, atoms.cell.array, atoms.positions)
    if abs(atoms.cell.volume) < 1e-6:
        raise ValueError(f"{path.name} holds no crystal: it has no cell")
    try:
        require_whole_atoms(atoms)
        check_structure(path.name, atoms)
    except (ValueError, EngineError) as error:
        raise ValueError(f"{path.name}: {error}") from error
    return atoms


def require_finite(path: Path, *arrays: NDArray[np.float64]) -> None:
    """Refuse a cell or positions that are no finite numbers: spglib ends the whole process at the first of them.

    :raises ValueError: one line that names the file.
    """
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError(f"{path.name} has positions or a cell that are no finite numbers")


def describe_difference(listed: Atoms, expected: Atoms) -> str:
    """Return in words what makes one listing of a crystal another than expected; nothing if they are the same.

    :param listed: as a file has it.
    :param expected: the same cell, atoms and order, it is hoped.
    """
    if len(listed) != len(expected):
        return f"it has {len(listed)} atoms, not {len(expected)}"
    if not np.allclose(listed.cell.array, expected.cell.array, atol=SAME_PLACE):
        return "it has another cell"
    scaled = [atoms.get_scaled_positions(wrap=False) for atoms in (listed, expected)]
    differences = scaled[0] - scaled[1]
    distances = np.linalg.norm((differences - np.rint(differences)) @ expected.cell.array, axis=1)
    wrong = np.flatnonzero((listed.numbers != expected.numbers) | (distances > SAME_PLACE))
    if not len(wrong):
        return ""
    atom = int(wrong[0])
    return (
        f"atom {atom} is {listed.symbols[atom]} {distances[atom]:.2f} Å from where {expected.symbols[atom]} belongs: "
        "the atoms come in another order, or elsewhere"
    )


def place_atoms(frame: Atoms, structure: Atoms, what: str) -> CrystalMapping:
    """Return which site of a crystal each atom of a frame belongs to.

    :param frame: a supercell of the crystal in its orientation, displaced by heat, in any order.
    :param structure: the unit cell or the supercell itself.
    :param what: the frame as messages should call it.
    :raises ValueError: one line, if it is no supercell of the crystal, with a hint where the units explain that.
    """
    if set(frame.numbers) != set(structure.numbers):
        formulas = frame.get_chemical_formula(), structure.get_chemical_formula()
        raise ValueError(
            f"{what} does not fit the structure: it is of {formulas[0]}, the structure of {formulas[1]}; give its own"
        )
    ratio = (abs(frame.cell.volume) / len(frame) / (abs(structure.cell.volume) / len(structure))) ** (1 / 3)
    if not 1 / LARGEST_EXPANSION < ratio < LARGEST_EXPANSION:
        raise ValueError(
            f"{what} does not fit the structure: for its atoms its lengths are {ratio:.3f} times as large"
            f"{_unit_hint(ratio)}"
        )
    try:
        mapping = map_crystal(frame, structure)
    except ValueError as error:
        raise ValueError(f"{what} does not fit the structure: {error}") from error
    if not np.array_equal(mapping.rotation, np.eye(3)):
        aligned = mapping.matrix @ structure.cell.array
        if np.abs(frame.cell.array - aligned).max() > 0.1 * np.abs(aligned).max():
            raise ValueError(f"{what} does not fit the structure: its cell is turned, give both in one orientation")
    return mapping


def order_of(mapping: CrystalMapping) -> NDArray[np.int64] | None:
    """Return which atom of the frame is each of the structure's; ``None`` where the frame is a multiple of it."""
    if len(mapping.unit_atoms) != len(mapping.unit_cell):
        return None
    return np.argsort(mapping.unit_atoms)


def _unit_hint(ratio: float) -> str:
    for unit, expected in (("Bohr", 1 / units.Bohr), ("Å, and the structure's in Bohr", units.Bohr)):
        if abs(ratio / expected - 1) < UNIT_TOLERANCE:
            return f": are they in {unit}?"
    return ""

"""Unit cells: space group, standard settings, supercell matrices, formula units.

Structures are periodic in three directions, and tolerances the distances (Å) of spglib's search for symmetry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import gcd
from typing import Any

import numpy as np
import spglib
from ase import Atoms
from ase.cell import Cell
from numpy.typing import NDArray

from crucible_engine.wire.rules import shown

LATTICE_NAMES = ("a", "b", "c", "alpha", "beta", "gamma")

LARGEST_MULTIPLE = 1000
"""Unit cells in a supercell beyond which a supercell matrix is taken for a mistake."""


def space_group(atoms: Atoms, tolerance: float) -> str:
    """Return the space group as ``P4mm (99)``.

    :raises ValueError: if spglib finds no symmetry, which means atoms on top of each other.
    """
    dataset = _dataset(atoms, tolerance)
    return f"{dataset.international} ({dataset.number})"


def lattice_operations(atoms: Atoms, tolerance: float) -> NDArray[np.int64]:
    """Return the rotations of the space group, of fractional coordinates as columns, shape [n, 3, 3].

    :raises ValueError: if spglib finds no symmetry.
    """
    return np.unique(np.asarray(_dataset(atoms, tolerance).rotations, dtype=np.int64), axis=0)


def standardised(atoms: Atoms, tolerance: float, primitive: bool = False) -> Atoms:
    """Return the crystal in spglib's standard setting, its positions symmetrised.

    :param primitive: the primitive cell instead of the conventional one.
    :raises ValueError: if spglib finds no symmetry.
    """
    with _explained(atoms):
        cell = spglib.standardize_cell(_spglib_cell(atoms), to_primitive=primitive, symprec=tolerance)
    if cell is None:
        raise ValueError(_no_symmetry(atoms))
    lattice, positions, numbers = cell
    return Atoms(numbers, scaled_positions=positions, cell=lattice, pbc=True)


def formula_units(atoms: Atoms) -> int:
    """Return how many of the smallest chemical formula the cell holds."""
    counts = np.unique(atoms.numbers, return_counts=True)[1]
    return gcd(*(int(count) for count in counts))


def parse_supercell_matrix(value: Any, largest: int = LARGEST_MULTIPLE) -> NDArray[np.int64]:
    """Return a supercell matrix, shape [3, 3], from three numbers or from three rows of three.

    :param largest: unit cells that it may make.
    :raises ValueError: one line, if it is neither, holds no whole numbers, or is singular or absurdly large.
    """
    problem = f"supercell matrix {shown(value)}: give three whole numbers, or three rows of three"
    matrix = _numbers(value, problem)
    if np.array(value).dtype == bool:
        raise ValueError(problem)
    if matrix.shape == (3,):
        matrix = np.diag(matrix)
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or not np.array_equal(matrix, matrix.round()):
        raise ValueError(problem)
    multiple = round(float(np.linalg.det(matrix)))
    if multiple < 1:
        raise ValueError(f"supercell matrix {shown(value)} has the determinant {multiple}: it must be positive")
    if multiple > largest:
        raise ValueError(f"supercell matrix {shown(value)} makes {multiple:g} unit cells: at most {largest}")
    return matrix.astype(np.int64)


def parse_primitive_matrix(value: Any) -> NDArray[np.float64]:
    """Return a primitive matrix as phonopy has it, shape [3, 3], from three rows of three numbers.

    :raises ValueError: one line, if it is something else, or makes no whole part of the unit cell.
    """
    problem = f"primitive matrix {shown(value)}: give three rows of three numbers"
    matrix = _numbers(value, problem)
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        raise ValueError(problem)
    share = float(np.linalg.det(matrix))
    if not 0 < share < 1 + 1e-4 or abs(1 / share - round(1 / share)) > 1e-2:
        raise ValueError(f"primitive matrix {shown(value)} has the determinant {share:.3g}: it must be 1, 1/2, 1/3 …")
    return matrix


def _numbers(value: Any, problem: str) -> NDArray[np.float64]:
    try:
        return np.array(value, dtype=float)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(problem) from None


def supercell_matrix_for_length(
    cell: NDArray[np.float64], length: float, largest: int = LARGEST_MULTIPLE
) -> NDArray[np.int64]:
    """Return the smallest diagonal supercell matrix whose cell holds a sphere of diameter ``length``.

    :param cell: lattice vectors as rows, Å, shape [3, 3].
    :param length: least distance between opposite faces of the supercell, Å.
    :raises ValueError: if the length is not positive or would make an absurdly large supercell.
    """
    if not np.isfinite(length) or length <= 0:
        raise ValueError(f"supercell length {length!r}: give a positive number of Å")
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    # A cell that is 1e-6 Å short of the wanted length has it: relaxed cells are no rounder.
    multiples = np.maximum(1, np.ceil((length - 1e-6) / heights)).astype(int)
    return parse_supercell_matrix(multiples.tolist(), largest)


def chosen_supercell_matrix(
    settings: Mapping[str, Any], cell: NDArray[np.float64], largest: int = LARGEST_MULTIPLE
) -> NDArray[np.int64]:
    """Return the supercell matrix that settings ask for, shape [3, 3].

    :param settings: ``supercell_matrix``, or where that is ``None`` ``supercell_min_length`` (Å).
    :raises ValueError: one line, if it is no supercell matrix, or would make an absurdly large supercell.
    """
    if settings["supercell_matrix"] is not None:
        return parse_supercell_matrix(settings["supercell_matrix"], largest)
    return supercell_matrix_for_length(cell, settings["supercell_min_length"], largest)


def lattice_parameters(atoms: Atoms, tolerance: float) -> dict[str, float]:
    """Return ``a``, ``b``, ``c`` (Å), ``alpha``, ``beta``, ``gamma`` (degrees), ``c_over_a`` and ``volume``.

    They are the conventional cell's, so that they do not depend on the setting that the structure came in; the volume
    (Å³) is per formula unit.
    """
    conventional = standardised(atoms, tolerance)
    parameters = {name: float(value) for name, value in zip(LATTICE_NAMES, conventional.cell.cellpar(), strict=True)}
    parameters["c_over_a"] = parameters["c"] / parameters["a"]
    parameters["volume"] = float(atoms.get_volume()) / formula_units(atoms)
    return parameters


def member_lattices(atoms: Atoms, cells: NDArray[np.float64], tolerance: float) -> dict[str, NDArray[np.float64]]:
    """Return the lattice parameters of the same crystal in other cells, see :func:`lattice_parameters`, [n_cells].

    The conventional cell is chosen once, in the crystal itself: what is a there is a in all of them.

    :param cells: lattice vectors as rows, Å, shape [n_cells, 3, 3].
    :raises ValueError: if spglib finds no symmetry.
    """
    # spglib's matrix takes the standard lattice's columns to those of the cell.
    to_standard = np.linalg.inv(_dataset(atoms, tolerance).transformation_matrix).T
    columns = np.array([Cell(to_standard @ cell).cellpar() for cell in cells]).T
    found = dict(zip(LATTICE_NAMES, columns, strict=True))
    found["c_over_a"] = found["c"] / found["a"]
    found["volume"] = np.abs(np.linalg.det(cells)) / formula_units(atoms)
    return found


def _spglib_cell(atoms: Atoms) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    return atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers


def _dataset(atoms: Atoms, tolerance: float) -> Any:
    with _explained(atoms):
        dataset = spglib.get_symmetry_dataset(_spglib_cell(atoms), symprec=tolerance)
    if dataset is None:
        raise ValueError(_no_symmetry(atoms))
    return dataset


@contextmanager
def _explained(atoms: Atoms) -> Iterator[None]:
    """Say in the user's words what spglib raises; whether it raises or returns ``None`` is a global switch."""
    try:
        yield
    except Exception as error:
        raise ValueError(_no_symmetry(atoms)) from error


def _no_symmetry(atoms: Atoms) -> str:
    return f"no space group found for {atoms.get_chemical_formula()}: look for atoms on top of each other"

"""Which atom of the unit cell, in which cell, each atom of a supercell is: in whatever order the supercell came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.displacements import centred_differences

LARGEST_DISTANCE = 1.0
"""Å between an atom of the supercell and its site beyond which the two structures are different crystals."""

LARGEST_MISFIT = 0.25
"""Unit cells by which the supercell may miss a whole number of them; at 0.5 the number itself would be open."""


@dataclass(frozen=True)
class SupercellSites:
    """The sites of a supercell's atoms."""

    matrix: NDArray[np.int64]
    """Supercell vectors in unit-cell vectors, both as rows: ``supercell = matrix @ unit_cell``; shape [3, 3]. It is the
    transpose of phonopy's."""
    unit_atoms: NDArray[np.int64]
    """Index in the unit cell of each atom, shape [n_atoms]."""
    translations: NDArray[np.int64]
    """Unit-cell vectors to add to that atom's place, shape [n_atoms, 3]."""
    fractional: NDArray[np.float64]
    """Scaled positions of the unit cell's atoms, not wrapped, shape [n_unit_atoms, 3]."""
    by_cell: NDArray[np.int64]
    """Index in the supercell of each atom of each unit cell, shape [n_cells, n_unit_atoms]."""

    @property
    def n_cells(self) -> int:
        """Unit cells in the supercell."""
        return len(self.by_cell)


def find_sites(supercell: Atoms, unit_cell: Atoms) -> SupercellSites:
    """Return which site of the repeated unit cell each atom of a supercell occupies.

    A small strain of the cell and displacements under 1 Å are allowed.

    :param supercell: periodic, in any order of atoms.
    :param unit_cell: the one that it was made of; :func:`supercell_like` takes its sites to another phase.
    :raises ValueError: one line, if the one is no supercell of the other.
    """
    matrix = _matrix(supercell, unit_cell)
    n_cells = round(float(np.linalg.det(matrix)))
    if len(supercell) != n_cells * len(unit_cell):
        raise ValueError(
            f"the supercell has {len(supercell)} atoms, but {n_cells} unit cells of {len(unit_cell)} atoms fit into it"
        )
    ideal, unit_atoms, translations = _lattice_sites(unit_cell, matrix, n_cells)
    occupied = _assign(supercell, ideal, unit_cell.numbers[unit_atoms])
    order = np.argsort(occupied)
    by_cell = order.reshape(n_cells, len(unit_cell))
    fractional = unit_cell.get_scaled_positions(wrap=False)
    return SupercellSites(matrix, unit_atoms[occupied], translations[occupied], fractional, by_cell)


def supercell_like(unit_cell: Atoms, sites: SupercellSites) -> Atoms:
    """Return the supercell of another phase, its atoms in the order of the supercell that ``sites`` were found for.

    :param unit_cell: with the atoms, in their order, of the unit cell that ``sites`` were found with: the cubic phase
        of a tetragonal crystal, for instance, or that phase in a cell of experimental lengths.
    :raises ValueError: one line, if it has another number of atoms.
    """
    if len(unit_cell) != sites.by_cell.shape[1]:
        raise ValueError(f"a unit cell of {len(unit_cell)} atoms: the supercell's has {sites.by_cell.shape[1]}")
    fractional = unit_cell.get_scaled_positions(wrap=False)
    # An atom at 0.98 in the one and at 0 in the other has not moved by nearly a cell: both in the same cell, then.
    images = fractional - sites.fractional - centred_differences(fractional, sites.fractional)
    fractional = fractional - np.rint(images - images[0])
    scaled = (fractional[sites.unit_atoms] + sites.translations) @ np.linalg.inv(sites.matrix)
    return Atoms(
        unit_cell.numbers[sites.unit_atoms],
        masses=unit_cell.get_masses()[sites.unit_atoms],
        scaled_positions=scaled,
        cell=sites.matrix @ unit_cell.cell.array,
        pbc=True,
    )


def _matrix(supercell: Atoms, unit_cell: Atoms) -> NDArray[np.int64]:
    ratio = supercell.cell.array @ np.linalg.inv(unit_cell.cell.array)
    matrix: NDArray[np.int64] = np.rint(ratio).astype(np.int64)
    if np.linalg.det(matrix) < 0.5 or (np.abs(ratio - matrix) > LARGEST_MISFIT).any():
        rows = np.array2string(ratio, precision=2, separator=", ").replace("\n", "")
        raise ValueError(
            f"the supercell's axes are not whole multiples of the unit cell's, but {rows}: give the unit cell that the "
            "supercell was made of"
        )
    return matrix


def _lattice_sites(
    unit_cell: Atoms, matrix: NDArray[np.int64], n_cells: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the scaled positions of all sites, cell by cell, with the atom of the unit cell and its translation."""
    corners = np.array(np.meshgrid([0, 1], [0, 1], [0, 1])).reshape(3, 8).T @ matrix
    ranges = [np.arange(low, high + 1) for low, high in zip(corners.min(axis=0), corners.max(axis=0), strict=True)]
    points = np.array(np.meshgrid(*ranges, indexing="ij")).reshape(3, -1).T
    scaled = points @ np.linalg.inv(matrix)
    inside = points[((scaled > -1e-9) & (scaled < 1 - 1e-9)).all(axis=1)]
    assert len(inside) == n_cells
    translations = np.repeat(inside, len(unit_cell), axis=0)
    unit_atoms = np.tile(np.arange(len(unit_cell)), n_cells)
    fractional = unit_cell.get_scaled_positions(wrap=False)[unit_atoms] + translations
    return fractional @ np.linalg.inv(matrix), unit_atoms, translations


def _assign(supercell: Atoms, ideal: NDArray[np.float64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the site of each atom of the supercell."""
    scaled = supercell.get_scaled_positions(wrap=False)
    if not np.array_equal(np.sort(supercell.numbers), np.sort(numbers)):
        raise ValueError("the supercell and the unit cell are of different elements")
    cell = supercell.cell.array
    sites = _nearest(scaled, ideal, supercell.numbers, numbers, cell)
    distances = np.linalg.norm(centred_differences(scaled, ideal[sites]) @ cell, axis=1)
    if len(np.unique(sites)) < len(sites) or distances.max() > LARGEST_DISTANCE:
        raise ValueError(
            f"atom {int(np.argmax(distances))} of the supercell lies {distances.max():.2f} Å from any free site of the "
            "repeated unit cell: give the unit cell that the supercell was made of"
        )
    return sites


def _nearest(
    scaled: NDArray[np.float64],
    ideal: NDArray[np.float64],
    atom_numbers: NDArray[np.int64],
    site_numbers: NDArray[np.int64],
    cell: NDArray[np.float64],
) -> NDArray[np.int64]:
    sites = np.empty(len(scaled), dtype=np.int64)
    for number in np.unique(atom_numbers):
        places = np.flatnonzero(site_numbers == number)
        for atom in np.flatnonzero(atom_numbers == number):
            differences = scaled[atom] - ideal[places]
            differences -= np.rint(differences)
            sites[atom] = places[int(np.argmin(((differences @ cell) ** 2).sum(axis=1)))]
    return sites

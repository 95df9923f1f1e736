"""Which atom of a unit cell, in which cell, each atom of a supercell is.

:func:`find_sites` takes the axes of the supercell as they come, in whatever order its atoms are. :func:`map_crystal`
also finds how the supercell is turned and where its origin is: what force constants need that come from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.displacements import centred_differences
from aiida_crucible.analysis.crystal.orientations import (
    STRAINS,
    change_of_shape,
    n_cells_of,
    possible_matrices,
    rotation_between,
    straight_matrix,
)

LARGEST_DISTANCE = 1.0
"""Å between an atom and its site beyond which the two structures are different crystals."""

NO_STRAIN = 0.02
"""Relative change of shape below which other axes are not looked for with the larger tolerance."""

CLEARLY_BETTER = 1e-3
"""Å by which an orientation must fit better than one that was found before."""

AS_IT_COMES = 0.8
"""Share of the misfit of axes that are not turned which turned ones may have: fluctuations turn no crystal."""

ANCHORS = 4
"""Atoms that are tried as the one that shows the shift, in case the first is far from its site."""


@dataclass(frozen=True)
class CrystalMapping:
    """The sites of a supercell's atoms."""

    unit_cell: Atoms
    """What the supercell repeats."""
    cell: NDArray[np.float64]
    """Of the supercell as it came, rows are vectors, Å, shape [3, 3]."""
    matrix: NDArray[np.int64]
    """Supercell vectors in unit-cell vectors, both as rows: ``supercell = matrix @ unit_cell``; shape [3, 3]. It is the
    transpose of phonopy's."""
    rotation: NDArray[np.float64]
    """Takes vectors (rows) of the supercell into the unit cell's orientation: ``v @ rotation``; shape [3, 3]."""
    unit_atoms: NDArray[np.int64]
    """Index in the unit cell of each atom, shape [n_atoms]."""
    translations: NDArray[np.int64]
    """Unit-cell vectors to add to that atom's place, shape [n_atoms, 3]."""

    @property
    def n_cells(self) -> int:
        """Unit cells in the supercell."""
        return n_cells_of(self.matrix)

    @cached_property
    def by_cell(self) -> NDArray[np.int64]:
        """Index in the supercell of each atom of each unit cell, shape [n_cells, n_unit_atoms]."""
        x, y, z = _inside(self.translations, self.matrix).T
        return np.lexsort((self.unit_atoms, z, y, x)).reshape(-1, len(self.unit_cell))

    @property
    def ideal(self) -> Atoms:
        """The supercell without displacements, in the cell, orientation and order that it came in (not its origin)."""
        return self._repeated(self.unit_cell, self.unit_cell.get_scaled_positions(wrap=False), self.cell)

    @property
    def unstrained(self) -> Atoms:
        """The supercell without displacements, made of the unit cell as it is, in its orientation."""
        return self.of_phase(self.unit_cell)

    def of_phase(self, unit_cell: Atoms) -> Atoms:
        """Return the supercell of another phase, its atoms in the order of this one's.

        :param unit_cell: with the atoms, in their order, of this one's unit cell: the cubic phase of a tetragonal
            crystal, for instance, or that phase in a cell of experimental lengths.
        :raises ValueError: one line, if it has another number of atoms.
        """
        if len(unit_cell) != len(self.unit_cell):
            raise ValueError(f"a unit cell of {len(unit_cell)} atoms: the supercell's has {len(self.unit_cell)}")
        fractional, own = (atoms.get_scaled_positions(wrap=False) for atoms in (unit_cell, self.unit_cell))
        # An atom at 0.98 in the one and at 0 in the other has not moved by nearly a cell: both in the same cell, then.
        images = fractional - own - centred_differences(fractional, own)
        return self._repeated(unit_cell, fractional - np.rint(images - images[0]), self.matrix @ unit_cell.cell.array)

    def find(self, unit_atoms: NDArray[np.int64], translations: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the index in the supercell of atoms that are named by unit-cell atom and cell, shape [n].

        :param unit_atoms: shape [n].
        :param translations: in unit-cell vectors, shape [n, 3].
        """
        known = self._keys(self.unit_atoms, self.translations)
        order = np.argsort(known)
        return np.asarray(order[np.searchsorted(known[order], self._keys(unit_atoms, translations))])

    def _keys(self, unit_atoms: NDArray[np.int64], translations: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.asarray(_lattice_keys(translations, self.matrix) * len(self.unit_cell) + unit_atoms)

    def _repeated(self, unit_cell: Atoms, fractional: NDArray[np.float64], cell: NDArray[np.float64]) -> Atoms:
        return Atoms(
            unit_cell.numbers[self.unit_atoms],
            masses=unit_cell.get_masses()[self.unit_atoms],
            scaled_positions=(fractional[self.unit_atoms] + self.translations) @ np.linalg.inv(self.matrix),
            cell=cell,
            pbc=True,
        )


def find_sites(supercell: Atoms, unit_cell: Atoms) -> CrystalMapping:
    """Return which site of the repeated unit cell each atom of a supercell occupies, its axes taken as they come.

    A small strain of the cell and displacements under 1 Å are allowed.

    :param supercell: periodic, in any order of atoms.
    :param unit_cell: the one that it was made of; :meth:`CrystalMapping.of_phase` takes its sites to another phase.
    :raises ValueError: one line, if the one is no supercell of the other.
    """
    cell, unit = supercell.cell.array, unit_cell.cell.array
    matrix = straight_matrix(cell, unit)
    if matrix is None or np.linalg.det(matrix) < 0:
        rows = np.array2string(cell @ np.linalg.inv(unit), precision=2, separator=", ").replace("\n", "")
        raise ValueError(
            f"the supercell's axes are not whole multiples of the unit cell's, but {rows}: give the unit cell that the "
            "supercell was made of"
        )
    n_cells = n_cells_of(matrix)
    if len(supercell) != n_cells * len(unit_cell):
        raise ValueError(
            f"the supercell has {len(supercell)} atoms, but {n_cells} unit cells of {len(unit_cell)} atoms fit into it"
        )
    if not np.array_equal(np.sort(supercell.numbers), np.sort(np.tile(unit_cell.numbers, n_cells))):
        raise ValueError("the supercell and the unit cell are of different elements")
    mapping, farthest, _ = _occupy(supercell, unit_cell, matrix, [np.zeros(3)])
    if mapping is None:
        raise ValueError(_misfit(supercell, unit_cell, farthest))
    return replace(mapping, translations=_inside(mapping.translations, matrix))


def map_crystal(supercell: Atoms, unit_cell: Atoms) -> CrystalMapping:
    """Return which site of the repeated unit cell each atom of a supercell occupies.

    All orientations that fit are tried, and the one with the least displacements and strain is taken: of a crystal that
    is nearly cubic, or nearly its own mirror image, several fit well. Axes that are whole multiples of the unit cell's
    are taken as they come unless turned ones fit clearly better.

    :param supercell: periodic; displacements under 1 Å and a small strain are allowed.
    :param unit_cell: the one that it was made of, or a primitive one.
    :raises ValueError: one line, if the one is no supercell of the other.
    """
    _check_composition(supercell, unit_cell)
    cell, unit = supercell.cell.array, unit_cell.cell.array
    length = float(unit_cell.cell.lengths().max())
    best: CrystalMapping | None = None
    # What another orientation has to fall short of: its strain and the root mean square displacement, Å.
    least = nearest = np.inf
    for tolerance, matrix in possible_matrices(cell, unit, len(supercell) // len(unit_cell)):
        if best is not None and tolerance > STRAINS[0] and change_of_shape(cell, best.matrix @ unit) < NO_STRAIN:
            break
        strain = change_of_shape(cell, matrix @ unit) * length
        if strain >= least:
            continue
        mapping, distance, typical = _occupy(supercell, unit_cell, matrix, _shifts(supercell, unit_cell, matrix))
        nearest = min(nearest, distance)
        if mapping is None or strain + typical >= least:
            continue
        # Orientations that symmetry makes the same differ by rounding: the first one stays.
        best, least = mapping, strain + typical - CLEARLY_BETTER
        if tolerance == 0:
            least *= AS_IT_COMES
        if least <= 0:
            break
    if best is None:
        raise ValueError(_misfit(supercell, unit_cell, nearest))
    return best


def _check_composition(supercell: Atoms, unit_cell: Atoms) -> None:
    """Refuse a supercell that is not made of whole unit cells.

    :raises ValueError: one line.
    """
    kinds = [dict(zip(*np.unique(atoms.numbers, return_counts=True), strict=True)) for atoms in (supercell, unit_cell)]
    n_cells, remainder = divmod(len(supercell), len(unit_cell))
    if remainder or kinds[0] != {number: n_cells * count for number, count in kinds[1].items()}:
        raise ValueError(
            f"{supercell.get_chemical_formula()} is not made of whole cells of {unit_cell.get_chemical_formula()}: "
            "another composition, or the wrong unit cell"
        )


def _occupy(
    supercell: Atoms, unit_cell: Atoms, matrix: NDArray[np.int64], shifts: Iterable[NDArray[np.float64]]
) -> tuple[CrystalMapping | None, float, float]:
    """Return the sites of the atoms, how far the farthest is, and the root mean square distance (Å) of all.

    There is no mapping where two atoms share a site, or one is too far from its own. Of all shifts (in unit cells) the
    best is taken: a crystal may nearly repeat itself within its unit cell.
    """
    fractional = supercell.get_scaled_positions(wrap=False) @ matrix
    best: tuple[CrystalMapping | None, float, float] = (None, np.inf, np.inf)
    for shift in shifts:
        unit_atoms, translations, distances = _nearest_sites(fractional - shift, supercell.numbers, unit_cell)
        keys = _lattice_keys(translations, matrix) * len(unit_cell) + unit_atoms
        farthest, typical = float(distances.max()), float(np.sqrt((distances**2).mean()))
        is_good = len(np.unique(keys)) == len(keys) and farthest <= LARGEST_DISTANCE
        # A valid mapping replaces an invalid one, and a better one another.
        if (is_good, -typical - CLEARLY_BETTER) <= (best[0] is not None, -best[2]):
            continue
        rotation = rotation_between(supercell.cell.array, matrix @ unit_cell.cell.array)
        found = CrystalMapping(unit_cell, supercell.cell.array, matrix, rotation, unit_atoms, translations)
        best = (found if is_good else None, farthest, typical)
        if is_good and typical < CLEARLY_BETTER:
            break
    return best


def _shifts(supercell: Atoms, unit_cell: Atoms, matrix: NDArray[np.int64]) -> Iterator[NDArray[np.float64]]:
    """Yield shifts that put an atom of the rarest element on one of its sites; the first is zero."""
    yield np.zeros(3)
    fractional = supercell.get_scaled_positions(wrap=False) @ matrix
    numbers, counts = np.unique(unit_cell.numbers, return_counts=True)
    rarest = numbers[int(np.argmin(counts))]
    places = unit_cell.get_scaled_positions(wrap=False)[unit_cell.numbers == rarest]
    for anchor in np.flatnonzero(supercell.numbers == rarest)[:ANCHORS]:
        for place in places:
            yield fractional[anchor] - place


def _nearest_sites(
    fractional: NDArray[np.float64], numbers: NDArray[np.int64], unit_cell: Atoms
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the nearest site of each atom's element, and its distance (Å) once the common shift is taken off."""
    places = unit_cell.get_scaled_positions(wrap=False)
    shift = np.zeros(3)
    for _ in range(2):
        differences = (fractional - shift)[:, None] - places[None]
        images = np.rint(differences)
        vectors = (differences - images) @ unit_cell.cell.array
        distances = np.where(numbers[:, None] == unit_cell.numbers[None], (vectors**2).sum(axis=2), np.inf)
        sites = np.argmin(distances, axis=1)
        rows = np.arange(len(sites))
        # The anchor was off its site itself; all atoms together are not.
        shift = shift + (differences - images)[rows, sites].mean(axis=0)
    residual = centred_differences(fractional, places[sites] + images[rows, sites]) @ unit_cell.cell.array
    return sites, images[rows, sites].astype(np.int64), np.linalg.norm(residual, axis=1)


def _inside(translations: NDArray[np.int64], matrix: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the images of lattice points that lie within the supercell, shape [n, 3]."""
    return np.asarray(translations - np.floor(translations @ np.linalg.inv(matrix) + 1e-9).astype(np.int64) @ matrix)


def _lattice_keys(translations: NDArray[np.int64], matrix: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a number for each lattice point that is the same for all its images, found by whole numbers, shape [n]."""
    count = n_cells_of(matrix)
    adjugate = np.rint(np.linalg.inv(matrix) * count).astype(np.int64)
    return np.asarray((translations @ adjugate) % count @ np.array([count**2, count, 1]))


def _misfit(supercell: Atoms, unit_cell: Atoms, nearest: float) -> str:
    if np.isfinite(nearest):
        return (
            f"an atom of the supercell lies {nearest:.2f} Å from any free site of the repeated unit cell: give the "
            "unit cell that the supercell was made of"
        )
    ratio = np.array2string(supercell.cell.cellpar()[:3] / unit_cell.cell.cellpar()[:3], precision=3, separator=", ")
    return (
        f"the supercell's axes are no lattice vectors of the unit cell (lengths {ratio} times as long): give the unit "
        "cell that the supercell was made of"
    )

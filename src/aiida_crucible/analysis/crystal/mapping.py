"""Which atom of a unit cell, in which cell, each atom of a supercell is: of any order, origin and orientation.

Other than :mod:`supercell_sites`, which takes the axes as they come, this one finds how the supercell is turned and
shifted as well: what force constants need that come from elsewhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.displacements import centred_differences

LARGEST_DISTANCE = 1.0
"""Å between an atom and its site beyond which the two structures are different crystals."""

STRAINS = (0.01, 0.06)
"""By which lengths (relative) and angles (cosines) of turned axes may differ, smaller ones first: fewer fit."""

LARGEST_MISFIT = 0.25
"""Unit cells by which axes that are not turned may miss a whole number of them."""

NO_STRAIN = 0.02
"""Relative change of shape below which other axes are not looked for with the larger tolerance."""

CLEARLY_BETTER = 1e-3
"""Å by which an orientation must fit better than one that was found before."""

AS_IT_COMES = 0.8
"""Share of the misfit of axes that are not turned which turned ones may have: fluctuations turn no crystal."""

MOST_ORIENTATIONS = 100
"""Turned axes that are tried, those with the best lengths and angles first; a cube has 24."""

ANCHORS = 4
"""Atoms that are tried as the one that shows the shift, in case the first is far from its site."""


@dataclass(frozen=True)
class SupercellLattice:
    """The lattice points of a supercell, which are known apart by whole numbers alone.

    :param matrix: supercell vectors in unit-cell vectors, both as rows, of whole numbers, shape [3, 3].
    """

    matrix: NDArray[np.int64]

    @property
    def n_cells(self) -> int:
        """Unit cells in the supercell."""
        return _multiple(self.matrix)

    def keys(self, translations: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return a number for each lattice point that is the same for all its images, shape [n].

        :param translations: in unit-cell vectors, shape [n, 3].
        """
        count = self.n_cells
        adjugate = np.rint(np.linalg.inv(self.matrix) * count).astype(np.int64)
        remainders = (translations @ adjugate) % count
        return np.asarray(remainders @ np.array([count**2, count, 1]))


@dataclass(frozen=True)
class CrystalMapping:
    """The sites of a supercell's atoms."""

    unit_cell: Atoms
    """What the supercell repeats."""
    cell: NDArray[np.float64]
    """Of the supercell as it came, rows are vectors, Å, shape [3, 3]."""
    lattice: SupercellLattice
    rotation: NDArray[np.float64]
    """Takes vectors (rows) of the supercell into the unit cell's orientation: ``v @ rotation``; shape [3, 3]."""
    unit_atoms: NDArray[np.int64]
    """Index in the unit cell of each atom, shape [n_atoms]."""
    translations: NDArray[np.int64]
    """Unit-cell vectors to add to that atom's place, shape [n_atoms, 3]."""

    @property
    def ideal(self) -> Atoms:
        """The supercell without displacements, in the cell, orientation and order that it came in (not its origin)."""
        scaled = self._fractional @ np.linalg.inv(self.lattice.matrix)
        return self._repeated(scaled, self.cell)

    @property
    def unstrained(self) -> Atoms:
        """The supercell without displacements, made of the unit cell as it is, in its orientation."""
        scaled = self._fractional @ np.linalg.inv(self.lattice.matrix)
        cell = self.lattice.matrix @ self.unit_cell.cell.array
        return self._repeated(scaled, cell)

    def _repeated(self, scaled: NDArray[np.float64], cell: NDArray[np.float64]) -> Atoms:
        numbers, masses = self.unit_cell.numbers, self.unit_cell.get_masses()
        atoms = self.unit_atoms
        return Atoms(numbers[atoms], masses=masses[atoms], scaled_positions=scaled, cell=cell, pbc=True)

    def find(self, unit_atoms: NDArray[np.int64], translations: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the index in the supercell of atoms that are named by unit-cell atom and cell, shape [n].

        :param unit_atoms: shape [n].
        :param translations: in unit-cell vectors, shape [n, 3].
        """
        known = self._keys(self.unit_atoms, self.translations)
        order = np.argsort(known)
        return np.asarray(order[np.searchsorted(known[order], self._keys(unit_atoms, translations))])

    def _keys(self, unit_atoms: NDArray[np.int64], translations: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.asarray(self.lattice.keys(translations) * len(self.unit_cell) + unit_atoms)

    @property
    def _fractional(self) -> NDArray[np.float64]:
        places: NDArray[np.float64] = self.unit_cell.get_scaled_positions(wrap=False)
        return places[self.unit_atoms] + self.translations


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
    for tolerance, matrix in _matrices(cell, unit, len(supercell) // len(unit_cell)):
        if best is not None and tolerance > STRAINS[0] and _strain(cell, best.lattice.matrix @ unit) < NO_STRAIN:
            break
        strain = _strain(cell, matrix @ unit) * length
        if strain >= least:
            continue
        mapping, distance, typical = _occupy(supercell, unit_cell, matrix)
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
    n_cells, rest = divmod(len(supercell), len(unit_cell))
    if rest or kinds[0] != {number: n_cells * count for number, count in kinds[1].items()}:
        raise ValueError(
            f"{supercell.get_chemical_formula()} is not made of whole cells of {unit_cell.get_chemical_formula()}: "
            "another composition, or the wrong unit cell"
        )


def _matrices(
    cell: NDArray[np.float64], unit: NDArray[np.float64], n_cells: int
) -> Iterator[tuple[float, NDArray[np.int64]]]:
    """Yield the matrices that may make a cell of unit cells: axes as they come first, then turned ones, best first.

    Each comes with the tolerance that it was found with, axes as they come with none.
    """
    ratio = cell @ np.linalg.inv(unit)
    straight: NDArray[np.int64] = np.rint(ratio).astype(np.int64)
    if (np.abs(ratio - straight) <= LARGEST_MISFIT).all() and _multiple(straight) == n_cells:
        yield 0.0, straight
    # A crystal that has expanded is the same in every direction, but for its strain.
    cell = cell * (n_cells * abs(np.linalg.det(unit) / np.linalg.det(cell))) ** (1 / 3)
    metric = cell @ cell.T
    for tolerance in STRAINS:
        turned = list(_turned_matrices(cell, unit, n_cells, tolerance))
        misfits = [float(np.linalg.norm(matrix @ unit @ unit.T @ matrix.T - metric)) for matrix in turned]
        for index in np.argsort(misfits, kind="stable")[:MOST_ORIENTATIONS]:
            yield tolerance, turned[index]


def _turned_matrices(
    cell: NDArray[np.float64], unit: NDArray[np.float64], n_cells: int, tolerance: float
) -> Iterator[NDArray[np.int64]]:
    """Yield the matrices whose supercell has the lengths, angles and handedness of a cell, in any orientation."""
    lengths = np.linalg.norm(cell, axis=1)
    cosines = (cell @ cell.T) / np.outer(lengths, lengths)
    reach = np.ceil(lengths.max() * (1 + tolerance) * np.linalg.norm(np.linalg.inv(unit), axis=0)).astype(int)
    points = np.array(list(itertools.product(*(range(-r, r + 1) for r in reach))))
    vectors = points @ unit
    norms = np.linalg.norm(vectors, axis=1)
    rows = [np.flatnonzero(np.abs(norms - length) <= tolerance * length) for length in lengths]
    units = [vectors[row] / norms[row, None] for row in rows]
    handedness = np.sign(np.linalg.det(cell) * np.linalg.det(unit))
    # Pairs of rows whose angle fits.
    fits = {(a, b): np.abs(units[a] @ units[b].T - cosines[a, b]) <= tolerance for a, b in ((0, 1), (0, 2), (1, 2))}
    for i, j in np.argwhere(fits[0, 1]):
        third = np.flatnonzero(fits[0, 2][i] & fits[1, 2][j])
        matrices = np.empty((len(third), 3, 3), dtype=np.int64)
        matrices[:, 0], matrices[:, 1], matrices[:, 2] = points[rows[0][i]], points[rows[1][j]], points[rows[2][third]]
        yield from matrices[np.rint(np.linalg.det(matrices)) == handedness * n_cells]


def _multiple(matrix: NDArray[np.int64]) -> int:
    return abs(round(float(np.linalg.det(matrix))))


def _occupy(
    supercell: Atoms, unit_cell: Atoms, matrix: NDArray[np.int64]
) -> tuple[CrystalMapping | None, float, float]:
    """Return the sites of the atoms, how far the farthest is, and the root mean square distance (Å) of all.

    There is no mapping where two atoms share a site, or one is too far from its own. Of all shifts the best is taken:
    a crystal may nearly repeat itself within its unit cell.
    """
    lattice = SupercellLattice(matrix)
    fractional = supercell.get_scaled_positions(wrap=False) @ matrix
    best: tuple[CrystalMapping | None, float, float] = (None, np.inf, np.inf)
    for shift in _shifts(fractional, supercell, unit_cell):
        unit_atoms, translations, distances = _nearest_sites(fractional - shift, supercell.numbers, unit_cell)
        keys = lattice.keys(translations) * len(unit_cell) + unit_atoms
        farthest, typical = float(distances.max()), float(np.sqrt((distances**2).mean()))
        is_good = len(np.unique(keys)) == len(keys) and farthest <= LARGEST_DISTANCE
        # A good one replaces any that is none, and a better one.
        if (is_good, -typical - CLEARLY_BETTER) <= (best[0] is not None, -best[2]):
            continue
        rotation = _rotation(supercell.cell.array, matrix @ unit_cell.cell.array)
        found = CrystalMapping(unit_cell, supercell.cell.array, lattice, rotation, unit_atoms, translations)
        best = (found if is_good else None, farthest, typical)
        if is_good and typical < CLEARLY_BETTER:
            break
    return best


def _shifts(fractional: NDArray[np.float64], supercell: Atoms, unit_cell: Atoms) -> Iterator[NDArray[np.float64]]:
    """Yield shifts that put an atom of the rarest element on one of its sites; the first is none at all."""
    yield np.zeros(3)
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
    rest = centred_differences(fractional, places[sites] + images[rows, sites]) @ unit_cell.cell.array
    return sites, images[rows, sites].astype(np.int64), np.linalg.norm(rest, axis=1)


def _rotation(cell: NDArray[np.float64], ideal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation nearest to what takes a cell into another, shape [3, 3]; exactly none where there is none."""
    left, _, right = np.linalg.svd(np.linalg.inv(cell) @ ideal)
    rotation = left @ right
    return np.eye(3) if np.allclose(rotation, np.eye(3), atol=1e-7) else np.asarray(rotation)


def _strain(cell: NDArray[np.float64], ideal: NDArray[np.float64]) -> float:
    """Return by how much a cell's shape differs from another's, relative; neither size nor orientation counts."""
    stretch = np.linalg.svd(np.linalg.inv(cell) @ ideal, compute_uv=False)
    return float(np.linalg.norm(stretch / stretch.prod() ** (1 / 3) - 1.0))


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

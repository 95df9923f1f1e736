"""The structures that a model is verified on: small crystals without any symmetry, in which nothing vanishes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols, covalent_radii
from numpy.typing import NDArray

from crucible_engine.families.base import is_periodic

COMMON = tuple(atomic_numbers[symbol] for symbol in ("Cu", "Al", "Ni", "Ti", "Si", "Mg", "Ag", "Pb", "Zr", "Fe", "O"))
"""Elements to choose from, those first that pack densely and that most models know."""
CANDIDATES = 150
"""Random crystals of which the best packed one is taken."""
NEIGHBOURS = np.array(np.meshgrid(*[(-2, -1, 0, 1, 2)] * 3)).reshape(3, -1).T
"""Lattice vectors, in units of the cell's, to which the nearest images of an atom may belong."""
RATTLE = 0.05
"""Å, standard deviation of the displacements of a user's structure."""
STRAIN = 0.015
"""Standard deviation of the strain of a user's structure."""
STRETCH = (0.95, 1.05)
"""Range of the factors by which a probe's lattice is stretched when its distances are unlucky."""
LARGEST_DIFFERENTIATED = 100
"""Atoms; a larger structure of the user takes part only in the cheap checks."""


@dataclass(frozen=True)
class Probe:
    """A structure to verify a model on.

    :param label: its name in messages.
    :param repetitions: of its cell along each lattice vector, for the comparison with a supercell.
    """

    label: str
    atoms: Atoms
    repetitions: tuple[int, int, int] = (2, 2, 2)

    @property
    def is_small(self) -> bool:
        """Whether it is small enough for the checks that evaluate it often."""
        return len(self.atoms) <= LARGEST_DIFFERENTIATED

    @property
    def is_crystal(self) -> bool:
        """Whether it has a stress."""
        return is_periodic(self.atoms)


def choose_species(elements: Iterable[int], structures: Sequence[Atoms] = ()) -> list[int]:
    """Return up to three elements to make probes of: the structures' own, else common ones that the model knows.

    :param elements: atomic numbers that the model was trained on; empty where unknown.
    """
    wanted = [number for atoms in structures for number in map(int, atoms.numbers)]
    if wanted:
        return sorted(set(wanted), key=lambda number: (-wanted.count(number), number))[:3]
    known = set(map(int, elements))
    common = [number for number in COMMON if number in known or not known]
    return (common + sorted(known - set(common)))[:3]


def make_probes(species: Sequence[int], seed: int) -> list[Probe]:
    """Return three triclinic crystals of two, three and four atoms, each oriented and compressed differently.

    The first one's cell is far thinner than any cutoff radius, so that an atom has many images of itself among its
    neighbours. Sizes, volumes and volumes an atom all differ, so that a stress times the volume does not look like one
    in another unit.

    :param species: atomic numbers to make them of, at least one.
    """
    rng = np.random.default_rng(seed)
    probes = []
    for n_atoms, tightness in ((2, 1.02), (3, 1.16), (4, 1.09)):
        numbers = [species[index % len(species)] for index in range(n_atoms)]
        atoms = random_crystal(rng, numbers, tightness)
        repetitions = (3, 3, 3) if n_atoms == 2 else (2, 2, 2)
        probes.append(Probe(f"random {atoms.get_chemical_formula()}", atoms, repetitions))
    return probes


def disturb(label: str, atoms: Atoms, seed: int) -> Probe:
    """Return a user's structure, displaced and strained a little, so that nothing vanishes by symmetry."""
    rng = np.random.default_rng(seed)
    probe = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    if is_periodic(probe):
        strain = rng.normal(scale=STRAIN, size=(3, 3))
        probe.set_cell(probe.cell.array @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
    probe.positions += rng.normal(scale=RATTLE, size=probe.positions.shape)
    lengths = probe.cell.lengths() + 1e6 * ~probe.pbc
    repetitions = [1, 1, 1]
    repetitions[int(np.argmin(lengths))] = 2
    return Probe(label, probe, (repetitions[0], repetitions[1], repetitions[2]))


def move_away(probe: Probe, rng: np.random.Generator) -> Probe:
    """Return a probe with all distances a little different, so that those that were at some cutoff no longer are."""
    atoms = probe.atoms.copy()
    if probe.is_crystal:
        atoms.set_cell(atoms.cell.array * rng.uniform(*STRETCH), scale_atoms=True)
    atoms.positions += rng.normal(scale=RATTLE, size=atoms.positions.shape)
    return Probe(probe.label, atoms, probe.repetitions)


def stretched(atoms: Atoms, factor: float) -> Atoms:
    """Return a copy of a crystal with its lattice vectors times a factor, and its atoms along with them."""
    copy = atoms.copy()
    copy.set_cell(atoms.cell.array * factor, scale_atoms=True)
    return copy


def random_rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a rotation matrix, uniformly distributed, shape [3, 3]."""
    matrix, triangular = np.linalg.qr(rng.normal(size=(3, 3)))
    matrix *= np.sign(np.diag(triangular))
    matrix[:, 0] *= np.linalg.det(matrix)
    return np.asarray(matrix, dtype=np.float64)


def random_crystal(
    rng: np.random.Generator, numbers: list[int], tightness: float, candidates: int = CANDIDATES
) -> Atoms:
    """Return the best packed of random crystals; its nearest atoms are ``tightness`` times their radii apart.

    :param tightness: distance over the sum of the covalent radii.
    """
    radii = covalent_radii[numbers]
    best, packing = np.eye(3), np.zeros((len(numbers), 3))
    largest = 0.0
    for _ in range(candidates):
        cell = np.eye(3) + rng.uniform(-0.35, 0.35, size=(3, 3))
        cell /= np.cbrt(np.linalg.det(cell))
        scaled = rng.uniform(size=(len(numbers), 3))
        nearest = _nearest(scaled, cell, radii)
        if nearest > largest:
            best, packing, largest = cell, scaled, nearest
    cell = best @ random_rotation(rng) * tightness / largest
    return Atoms([chemical_symbols[number] for number in numbers], scaled_positions=packing, cell=cell, pbc=True)


def _nearest(scaled: NDArray[np.float64], cell: NDArray[np.float64], radii: NDArray[np.float64]) -> float:
    """Return the smallest distance of two atoms or images, in units of the sum of their radii."""
    differences = (scaled[:, None] - scaled[None])[:, :, None] + NEIGHBOURS
    distances = np.linalg.norm(differences @ cell, axis=-1)
    distances[np.arange(len(scaled)), np.arange(len(scaled)), (NEIGHBOURS == 0).all(axis=1)] = np.inf
    return float((distances.min(axis=2) / (radii[:, None] + radii)).min())

"""What is no crystal: molecules, wires and slabs, also those in a periodic box with vacuum around them."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.neighborlist import natural_cutoffs, neighbor_list
from numpy.typing import NDArray

LARGEST_GAP = 8.0
"""Å between neighbouring planes of atoms beyond which a cell holds vacuum; layered crystals have about 4."""

KINDS = {0: "crystal", 1: "slab", 2: "wire", 3: "molecule"}
"""By the number of directions in which it ends."""

FLATTEST = 1e-6
"""Volume of a cell over the product of its lengths, below which it spans none."""

BONDED = 1.2
"""Two atoms nearer than this times the sum of their covalent radii (doi 10.1039/b801115j) are bonded."""


FOR_OTHERS = "`aiida-crucible run` takes it as it is: relaxed in its cell, its vibrations, its bonds when hot"
"""What to say where a molecule, a wire or a slab is refused."""


def require_no_vacuum(atoms: Atoms, purpose: str) -> None:
    """Refuse a slab or a molecule in a periodic box where a crystal is needed.

    :param purpose: what needs the crystal, as the message should call it (``a phonon calculation``).
    :raises ValueError: one line.
    """
    gaps = vacuum(atoms)
    if (gaps > LARGEST_GAP).any():
        axis = int(np.argmax(gaps))
        raise ValueError(
            f"{atoms.get_chemical_formula()} has {gaps[axis]:.1f} Å of vacuum along {'abc'[axis]}: it looks like "
            f"a {kind_of(atoms)}, but {purpose} needs a crystal; {FOR_OTHERS}"
        )


def open_directions(atoms: Atoms) -> NDArray[np.bool_]:
    """Return along which lattice vectors it ends: not periodic, or with vacuum between its images, [3]."""
    found: NDArray[np.bool_] = ~np.asarray(atoms.pbc) | (vacuum(atoms) > LARGEST_GAP)
    return found


def vacuum(atoms: Atoms) -> NDArray[np.float64]:
    """Return the widest gap between neighbouring planes of atoms along each lattice vector, Å, [3]."""
    gaps, _ = _gaps(atoms)
    return gaps


def kind_of(atoms: Atoms) -> str:
    """Return ``crystal``, ``slab``, ``wire`` or ``molecule``."""
    return KINDS[int(open_directions(atoms).sum())]


def without_images(atoms: Atoms) -> Atoms:
    """Return it in one piece, and periodic only where it does not end."""
    is_open = open_directions(atoms)
    _, ends = _gaps(atoms)
    fractions = _fractions(atoms)
    moved = np.where(is_open & atoms.pbc, (fractions - ends) % 1.0, fractions)
    found = atoms.copy()
    found.positions += (moved - fractions) @ _cell(atoms)
    found.pbc = ~is_open
    return found


def repeats_for(atoms: Atoms, length: float) -> tuple[int, int, int]:
    """Return how often to repeat it so that it is at least so long (Å) in each direction in which it does not end."""
    heights = 1 / np.linalg.norm(np.linalg.inv(_cell(atoms)), axis=0)
    numbers = np.where(open_directions(atoms), 1, np.ceil(length / heights - 1e-6)).astype(int)
    first, second, third = (max(1, int(number)) for number in numbers)
    return first, second, third


def bonds(atoms: Atoms) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the pairs that are bonded: their atoms, [n, 2], the image of the second one, [n, 3], and lengths, Å, [n].

    The images hold for the positions as they are, not wrapped into the cell.
    """
    cutoffs = natural_cutoffs(atoms, mult=BONDED)
    first, second, images, lengths = neighbor_list("ijSd", atoms, cutoffs)
    once = first < second
    return np.stack([first[once], second[once]], axis=1), images[once], lengths[once]


def _gaps(atoms: Atoms) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the widest gap along each lattice vector, Å, and the fractional coordinate where it ends."""
    heights = 1 / np.linalg.norm(np.linalg.inv(_cell(atoms)), axis=0)
    fractions = np.sort(_fractions(atoms) % 1.0, axis=0)
    steps = np.diff(fractions, axis=0, append=fractions[:1] + 1)
    widest = steps.argmax(axis=0)
    ends = fractions[(widest + 1) % len(fractions), range(3)]
    return steps.max(axis=0) * heights, ends


def _fractions(atoms: Atoms) -> NDArray[np.float64]:
    fractions: NDArray[np.float64] = np.linalg.solve(_cell(atoms).T, atoms.positions.T).T
    return fractions


def _cell(atoms: Atoms) -> NDArray[np.float64]:
    """Return the lattice vectors, those that are missing completed, as rows.

    :raises ValueError: one line, if they span no volume.
    """
    cell: NDArray[np.float64] = np.asarray(atoms.cell.complete().array, dtype=np.float64)
    lengths = np.linalg.norm(cell, axis=1)
    if not np.isfinite(cell).all() or abs(np.linalg.det(cell)) < FLATTEST * lengths.prod():
        formula = atoms.get_chemical_formula()
        raise ValueError(f"the lattice vectors of {formula} are parallel or zero: give it a cell with a volume, in Å")
    return cell

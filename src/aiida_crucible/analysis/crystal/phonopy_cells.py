"""Cells on their way to phonopy and back, with the masses of their atoms.

Phonopy's table of masses differs from ASE's in the last digits, and has none of six elements. An atom of its element's
standard mass keeps the standard one of either side; any other (an isotope's) is the atom's own, and goes along.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import atomic_masses
from numpy.typing import NDArray
from phonopy import Phonopy

from aiida_crucible.compat.phonopy import PhonopyAtoms, get_atomic_data

WRITTEN_DIGITS = 1e-6
"""u by which a mass of phonopy's table may differ once its yaml has rounded it."""


def to_phonopy(atoms: Atoms) -> PhonopyAtoms:
    """Return ASE's cell as phonopy's."""
    masses = atoms.get_masses()
    return PhonopyAtoms(
        numbers=atoms.numbers,
        scaled_positions=atoms.get_scaled_positions(wrap=False),
        cell=atoms.cell.array,
        masses=np.where(masses == atomic_masses[atoms.numbers], _standard_masses(atoms.numbers), masses),
    )


def to_atoms(cell: PhonopyAtoms) -> Atoms:
    """Return phonopy's cell as ASE's."""
    own = np.abs(cell.masses - _standard_masses(cell.numbers)) > WRITTEN_DIGITS
    return Atoms(
        cell.numbers,
        masses=np.where(own, cell.masses, atomic_masses[cell.numbers]) if own.any() else None,
        scaled_positions=cell.scaled_positions,
        cell=cell.cell,
        pbc=True,
    )


def changed_cell(cell: PhonopyAtoms, length: float = 1.0, turn: float = 1.0) -> PhonopyAtoms:
    """Return phonopy's cell with its lattice vectors so many times as long, or turned round with all places in it."""
    return PhonopyAtoms(
        numbers=cell.numbers,
        masses=cell.masses,
        scaled_positions=turn * cell.scaled_positions,
        cell=turn * length * cell.cell,
    )


def require_symmetric_masses(phonon: Phonopy) -> None:
    """Refuse different masses on symmetry-equivalent sites: the modes would not have the symmetry of the space group.

    :raises ValueError: one line.
    """
    supercell = phonon.supercell
    alike = phonon.symmetry.get_map_atoms()
    different = np.flatnonzero(np.abs(supercell.masses - supercell.masses[alike]) > WRITTEN_DIGITS)
    if len(different):
        atom = int(different[0])
        masses = supercell.masses[atom], supercell.masses[alike[atom]]
        raise ValueError(
            f"atoms of {supercell.symbols[atom]} that symmetry makes the same have masses of {masses[0]:g} and "
            f"{masses[1]:g} u: phonons need one mass for each kind of site, their mean for instance"
        )


def _standard_masses(numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return phonopy's masses of elements, u, and ASE's of those that phonopy has none of; shape [n_atoms]."""
    known = [get_atomic_data().atom_data[number][3] for number in numbers]
    return np.array(
        [atomic_masses[number] if mass is None else mass for number, mass in zip(numbers, known, strict=True)]
    )

"""Labelled frames of any compositions, as columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from numpy.typing import NDArray

Array = NDArray[np.float64]

SPLITS = ("training", "validation", "test")
"""The sides that frames are on, by their numbers in a dataset."""

OF_ATOMS = ("numbers", "positions", "forces")
"""Columns that have a row an atom; the others have one a frame."""


@dataclass(frozen=True)
class LabelledFrames:
    """Frames one after the other, those of atoms likewise.

    :param numbers: atomic numbers, shape [n_atoms_total].
    :param positions: Å, shape [n_atoms_total, 3].
    :param forces: eV/Å, shape [n_atoms_total, 3].
    :param n_atoms: of each frame, shape [n].
    :param cells: Å, rows are lattice vectors, shape [n, 3, 3].
    :param pbc: shape [n, 3].
    :param energies: eV, shape [n].
    :param stresses: eV/Å³, ASE's sign, Voigt, shape [n, 6]; NaN where a frame has none.
    :param files: which of the files a frame is from, shape [n].
    :param places: its number there, from 0, shape [n].
    :param sources: which of the named sources a frame is from, shape [n].
    :param temperatures: of the run that it is from, K, shape [n]; NaN where nobody says.
    """

    numbers: NDArray[np.int64]
    positions: Array
    forces: Array
    n_atoms: NDArray[np.int64]
    cells: Array
    pbc: NDArray[np.bool_]
    energies: Array
    stresses: Array
    files: NDArray[np.int64]
    places: NDArray[np.int64]
    sources: NDArray[np.int64]
    temperatures: Array

    def __len__(self) -> int:
        """Return how many frames there are."""
        return len(self.n_atoms)

    @property
    def ends(self) -> NDArray[np.int64]:
        """Rows of the atoms of the frames: those of frame i are ``ends[i]`` to ``ends[i + 1]``, shape [n + 1]."""
        return np.concatenate([[0], np.cumsum(self.n_atoms)])

    @property
    def elements(self) -> list[str]:
        """Chemical symbols, in the order of their numbers."""
        return [chemical_symbols[number] for number in np.unique(self.numbers)]

    @property
    def counts(self) -> Array:
        """How many atoms of each of :attr:`elements` a frame has, shape [n, n_elements]."""
        columns = np.searchsorted(np.unique(self.numbers), self.numbers)
        found = np.zeros((len(self), len(self.elements)))
        np.add.at(found, (np.repeat(np.arange(len(self)), self.n_atoms), columns), 1.0)
        return found

    @property
    def owners(self) -> NDArray[np.int64]:
        """The frame of each atom, shape [n_atoms_total]."""
        return np.repeat(np.arange(len(self)), self.n_atoms)

    def atoms(self) -> Iterator[Atoms]:
        """Yield the geometries."""
        ends = self.ends
        for index in range(len(self)):
            rows = slice(ends[index], ends[index + 1])
            yield Atoms(self.numbers[rows], self.positions[rows], cell=self.cells[index], pbc=self.pbc[index])

    def taken(self, frames: Sequence[int] | NDArray[np.int64]) -> LabelledFrames:
        """Return some of the frames, in the order given."""
        chosen, ends = np.asarray(frames, dtype=np.int64), self.ends
        parts = [np.arange(ends[index], ends[index + 1]) for index in chosen]
        rows = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
        columns: dict[str, Any] = {
            field.name: getattr(self, field.name)[rows if field.name in OF_ATOMS else chosen] for field in fields(self)
        }
        return LabelledFrames(**columns)

    def with_energies(self, energies: Array) -> LabelledFrames:
        """Return the frames with other energies, eV, shape [n]."""
        return replace(self, energies=energies)


def joined(parts: Sequence[LabelledFrames]) -> LabelledFrames:
    """Return several sets one after the other."""
    columns: dict[str, Any] = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(LabelledFrames)
    }
    return LabelledFrames(**columns)

"""The structures in which the replicas of a job begin, and those by which it is judged what has become of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from crucible_engine.tasks.dynamics.orientation import oriented
from crucible_engine.tasks.dynamics.output import read_result
from crucible_engine.tasks.dynamics.settings import Settings
from crucible_engine.wire.schema import Condition, EngineError
from crucible_engine.wire.structures import read_structures


class Starts:
    """Where replicas begin: all in the one structure (or where the one before ended), or each in its own.

    :param path: the structures' file; it holds one, or one for each temperature.
    :param reference: the file of the crystal by which all are judged; it need not exist.
    :param folder: where the results of replicas that are done are.
    :raises EngineError: ``INVALID_JOB``, if the axes of a structure have to be turned and mix those of the mask, or if
        the reference is of other atoms.
    """

    def __init__(self, path: Path, reference: Path, settings: Settings, folder: Path) -> None:
        self._labelled = list(read_structures(path))
        self._reference = next(read_structures(reference))[1] if reference.exists() else None
        self._settings, self._folder = settings, folder
        for label, structure in self._labelled:
            oriented(structure, settings)
            self._require_same_atoms(label, structure)

    @property
    def are_several(self) -> bool:
        """Whether each replica has a structure of its own."""
        return len(self._labelled) > 1

    @property
    def sizes(self) -> list[int]:
        """Numbers of atoms, one for each replica."""
        return [len(self._given(index)) for index in range(len(self._settings.temperatures))]

    @property
    def lightest_mass(self) -> float:
        """Of all atoms, u."""
        return min(float(structure.get_masses().min()) for _, structure in self._labelled)

    def of(self, index: int) -> Atoms:
        """Return the structure in which a replica begins; a sequence needs the result of the one before."""
        if self._settings.start == "independent" or index == 0:
            return self._given(index)
        last = read_result(self._folder, index - 1)
        moved = self._given(index).copy()
        moved.set_cell(_as_stored(last["final_cell"]))
        moved.positions = _as_stored(last["final_positions"])
        return moved

    def sites_of(self, index: int) -> Atoms:
        """Return the structure whose sites the atoms of a replica are to keep.

        It is the reference, or without one what was given: of a sequence the crystal with which that began, since the
        thermal displacements of a snapshot would be counted twice.
        """
        return self._given(index) if self._reference is None else self._reference

    def describe(self, index: int) -> dict[str, Any]:
        """Return what a summary says of a replica's beginning: its ``structure`` (label), where there are several."""
        return {"structure": self._labelled[index][0]} if self.are_several else {}

    def _given(self, index: int) -> Atoms:
        return self._labelled[index if self.are_several else 0][1]

    def _require_same_atoms(self, label: str, structure: Atoms) -> None:
        reference = self._reference
        if reference is None or (
            np.array_equal(reference.numbers, structure.numbers) and np.array_equal(reference.pbc, structure.pbc)
        ):
            return
        raise EngineError(
            Condition.INVALID_JOB,
            f"the reference ({reference.get_chemical_formula()}) has not the atoms of structure {label!r} "
            f"({structure.get_chemical_formula()}) in their order, or another periodicity: give the crystal that moves",
        )


def moved_near(sites: Atoms, start: Atoms) -> Atoms:
    """Return sites with each moved by whole lattice vectors to where its atom begins.

    Atoms that move are not wrapped into the cell; those of a structure from elsewhere may have been.

    :param sites: as many as there are atoms; changed in place.
    """
    if not sites.pbc.any():
        return sites
    apart = start.cell.scaled_positions(start.positions) - sites.cell.scaled_positions(sites.positions)
    turns = np.where(sites.pbc, np.rint(apart - apart[0]), 0.0)
    sites.positions += turns @ sites.cell.array
    return sites


def plain_copy(start: Atoms) -> Atoms:
    """Return numbers, masses and geometry alone, without whatever else a structure may carry."""
    return Atoms(start.numbers, masses=start.get_masses(), positions=start.positions, cell=start.cell, pbc=start.pbc)


def _as_stored(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers as AiiDA stores those of a structure, with 14 significant digits.

    So a replica begins with the same bits whether the one before ran in its own job or in another.
    """
    return np.array([float(f"{value:.14g}") for value in values.ravel()]).reshape(values.shape)

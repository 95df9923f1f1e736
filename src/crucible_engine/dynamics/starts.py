"""The structures in which the replicas of a job begin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from crucible_engine.dynamics.output import read_result
from crucible_engine.dynamics.replica import oriented
from crucible_engine.dynamics.settings import Settings
from crucible_engine.structures_file import read_structures


class Starts:
    """Where replicas begin: all in the one structure (or where the one before ended), or each in its own.

    :param path: the structures' file; it holds one, or one for each temperature.
    :param settings: how to run.
    :param folder: where the results of replicas that are done are.
    :raises EngineError: ``INVALID_JOB``, if the axes of a structure have to be turned and mix those of the mask.
    """

    def __init__(self, path: Path, settings: Settings, folder: Path) -> None:
        self._labelled = list(read_structures(path))
        self._settings, self._folder = settings, folder
        for _, structure in self._labelled:
            oriented(structure, settings)

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

    def describe(self, index: int) -> dict[str, Any]:
        """Return what a summary says of a replica's beginning: its ``structure`` (label), where there are several."""
        return {"structure": self._labelled[index][0]} if self.are_several else {}

    def _given(self, index: int) -> Atoms:
        return self._labelled[index if self.are_several else 0][1]


def _as_stored(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers as AiiDA stores those of a structure, with 14 significant digits.

    So a replica begins with the same bits whether the one before ran in its own job or in another.
    """
    return np.array([float(f"{value:.14g}") for value in values.ravel()]).reshape(values.shape)

"""SOAP descriptors of atomic environments (dscribe), and where they are kept while a kernel is computed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from crucible_engine.tasks.similarity.plan import Plan

Floats = NDArray[np.float64]


class Describer:
    """Describes frames that may have any of some species, as the parameters of the task say."""

    def __init__(self, parameters: Mapping[str, Any], species: Sequence[str]) -> None:
        from dscribe.descriptors import SOAP

        self._soap: Any = SOAP(
            species=sorted(set(species)),
            r_cut=parameters["cutoff"],
            n_max=parameters["n_max"],
            l_max=parameters["l_max"],
            sigma=parameters["sigma"],
            periodic=True,  # along the directions in which a frame is
        )
        self._normalise = parameters["normalise"]
        self.n_features = int(self._soap.get_number_of_features())

    def describe(self, frame: Atoms) -> Floats:
        """Return the descriptors of all atoms, [n_atoms, n_features]."""
        inside = frame.copy()
        # Where a direction is not periodic its cell vector may be absent; any will do, since no image is looked for.
        inside.cell = inside.cell.complete()
        inside.wrap()  # dscribe looks for neighbours in the images next to the cell
        rows: Floats = np.asarray(self._soap.create(inside), dtype=np.float64)
        return unit_rows(rows) if self._normalise else rows


def unit_rows(rows: Floats) -> Floats:
    """Return rows scaled to length 1 as ``sklearn.preprocessing.normalize`` does it; a row of zeros stays."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return np.asarray(rows / np.where(lengths == 0.0, 1.0, lengths)[:, None])


class BlockStore:
    """The descriptors of a plan's blocks: as many in memory as the plan allows, the others on the disk.

    :param make: returns the descriptors of the frame of an index, [n_atoms, n_features].
    :param folder: for files; they are removed by :meth:`clear`.
    """

    def __init__(self, plan: Plan, make: Callable[[int], Floats], folder: Path) -> None:
        self._plan, self._make, self._folder = plan, make, folder
        self._held: OrderedDict[int, Floats] = OrderedDict()
        self._keeps_files = plan.resident < len(plan.blocks)
        self.clear()

    def get(self, index: int) -> Floats:
        """Return the descriptors of a block, [n_frames, n_atoms, n_features].

        :raises OSError: if the disk is full.
        """
        if index in self._held:
            self._held.move_to_end(index)
            return self._held[index]
        while len(self._held) >= self._plan.resident:
            self._held.popitem(last=False)
        path = self._path(index)
        rows = np.load(path, allow_pickle=False) if path.exists() else self._describe(index)
        self._held[index] = rows
        return rows

    def clear(self) -> None:
        """Forget everything, in memory and on the disk."""
        self._held.clear()
        for path in self._folder.glob("descriptors-*.npy*"):
            path.unlink()

    def _describe(self, index: int) -> Floats:
        block = self._plan.blocks[index]
        rows = np.empty((len(block.frames), block.n_atoms, self._plan.n_features))
        for place, frame in enumerate(block.frames):
            rows[place] = self._make(frame)
        if self._keeps_files:
            path = self._path(index)
            temporary = path.with_suffix(".npy.part")
            with temporary.open("wb") as stream:
                np.save(stream, rows, allow_pickle=False)
            temporary.replace(path)
        return rows

    def _path(self, index: int) -> Path:
        return self._folder / f"descriptors-{index}.npy"

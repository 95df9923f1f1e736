"""Running averages over a trajectory: mean positions and cell, and how far atoms move around them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

KEPT = ("count", "reference", "sum", "squares", "cells")


class Averages:
    """Sums over frames of positions, relative to the first one's scaled coordinates, and of cells.

    An affine change of the cell moves no atom here: displacements are what is left of it. A common drift is taken out.

    :param masses: u, [n_atoms].
    """

    def __init__(self, masses: Array) -> None:
        self._weights = masses / masses.sum()
        self._count = 0
        self._reference = np.zeros((len(masses), 3))
        self._sum = np.zeros((len(masses), 3))
        self._squares = np.zeros((len(masses), 3))
        self._cells = np.zeros((3, 3))

    def add(self, positions: Array, cell: Array) -> None:
        """Add a frame.

        :param positions: unwrapped, Å, [n_atoms, 3].
        :param cell: Å, [3, 3]; without three vectors nothing is scaled.
        """
        scaled = _scaled(positions, cell)
        if not self._count:
            self._reference = scaled
        moved = scaled - self._reference
        displacements = moved @ cell if _spans(cell) else moved
        displacements -= self._weights @ displacements
        self._count += 1
        self._sum += displacements
        self._squares += displacements**2
        self._cells += cell

    def result(self) -> dict[str, Array] | None:
        """Return the averages so far; ``None`` before the first frame.

        ``mean_positions`` (Å, [n_atoms, 3]), ``mean_square_displacements`` around them (Å², [n_atoms, 3], along x, y
        and z) and ``mean_cell`` (Å, [3, 3]).
        """
        if not self._count:
            return None
        cell = self._cells / self._count
        mean = self._sum / self._count
        reference = self._reference @ cell if _spans(cell) else self._reference
        # Rounding makes the square of an atom at rest a negative number.
        variance = np.maximum(self._squares / self._count - mean**2, 0.0)
        return {"mean_positions": reference + mean, "mean_square_displacements": variance, "mean_cell": cell}

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that is kept."""
        return {name: np.array(getattr(self, f"_{name}")) for name in KEPT}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Put back what :meth:`state` returned."""
        for name in KEPT:
            setattr(self, f"_{name}", state[name].copy())
        self._count = int(self._count)


def _scaled(positions: Array, cell: Array) -> Array:
    return positions @ np.linalg.inv(cell) if _spans(cell) else positions.copy()


def _spans(cell: Array) -> bool:
    return bool(abs(np.linalg.det(cell)) > 0)

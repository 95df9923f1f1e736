"""Lattice parameters of a run in the axes of the unit cell that its supercell was made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.analysis.statistics.averages import Average, average

PARAMETERS = ("a", "b", "c", "alpha", "beta", "gamma", "c_over_a", "volume")
"""Names of the series, in this order; Å, degrees, and Å³ a formula unit."""


@dataclass(frozen=True)
class LatticeSeries:
    """The unit cell's parameters in each frame."""

    cells: NDArray[np.float64]
    """Unit cells, rows are vectors, Å, shape [n_frames, 3, 3]."""
    values: dict[str, NDArray[np.float64]]
    """One series for each of :data:`PARAMETERS`, shape [n_frames]."""

    @cached_property
    def averages(self) -> dict[str, Average]:
        """The mean of each parameter after its equilibration."""
        return {name: average(series) for name, series in self.values.items()}

    @property
    def length_error(self) -> float:
        """Å: the largest standard error of a lattice vector's length, or of its tip by an angle's error."""
        averages = self.averages
        lengths = [averages[name].standard_error for name in ("a", "b", "c")]
        longest = max(averages[name].mean for name in ("a", "b", "c"))
        angles = [np.radians(averages[name].standard_error) * longest for name in ("alpha", "beta", "gamma")]
        return float(max(lengths + angles))


def lattice_series(
    cells: NDArray[np.floating], supercell_matrix: NDArray[np.integer], formula_units: int
) -> LatticeSeries:
    """Return the unit cell's lattice parameters frame by frame.

    They come from the metric tensor of the unit cell, and so from no orientation; axes keep their names all along,
    whichever of them is the longest.

    :param cells: of the supercell, rows are vectors, Å, shape [n_frames, 3, 3].
    :param supercell_matrix: ``supercell = supercell_matrix @ unit_cell``, vectors as rows, shape [3, 3]
        (:attr:`~aiida_crucible.analysis.crystal.mapping.CrystalMapping.matrix`).
    :raises ValueError: one line, if a shape is another one, a number not finite, or the matrix singular.
    """
    cells = np.asarray(cells, dtype=float)
    if cells.ndim != 3 or cells.shape[1:] != (3, 3) or len(cells) == 0:
        raise ValueError(f"cells of shape {cells.shape}: give [n_frames, 3, 3] with at least one frame")
    broken = np.flatnonzero(~np.isfinite(cells).all(axis=(1, 2)))
    if len(broken):
        raise ValueError(f"the cell of frame {broken[0]} is not finite: leave out the frames after the run failed")
    if round(float(np.linalg.det(supercell_matrix))) == 0:
        raise ValueError("the supercell matrix is singular")
    unit_cells = np.linalg.inv(supercell_matrix) @ cells
    metric = unit_cells @ unit_cells.transpose(0, 2, 1)
    lengths = np.sqrt(np.diagonal(metric, axis1=1, axis2=2))
    values = {name: lengths[:, axis] for axis, name in enumerate("abc")}
    for name, (i, j) in {"alpha": (1, 2), "beta": (0, 2), "gamma": (0, 1)}.items():
        cosine = metric[:, i, j] / (lengths[:, i] * lengths[:, j])
        values[name] = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    values["c_over_a"] = lengths[:, 2] / lengths[:, 0]
    values["volume"] = np.abs(np.linalg.det(unit_cells)) / formula_units
    return LatticeSeries(unit_cells, values)

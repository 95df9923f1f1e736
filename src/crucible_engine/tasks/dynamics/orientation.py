"""Turning a crystal as an integrator needs its cell, and results back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms
from ase.stress import full_3x3_to_voigt_6_stress, voigt_6_to_full_3x3_stress
from numpy.typing import NDArray

from crucible_engine.tasks.dynamics.integrators import integrator_of
from crucible_engine.tasks.dynamics.settings import Settings
from crucible_engine.wire.schema import Condition, EngineError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Orientation:
    """A rotation of the crystal, or none.

    :param rotation: [3, 3]; a row vector ``v`` of the turned crystal is ``v @ rotation`` in the given one. ``None`` if
        nothing is turned, so that no number is touched.
    """

    rotation: Array | None

    @classmethod
    def of(cls, atoms: Atoms, triangular: bool) -> Orientation:
        """Return the rotation that makes the cell a triangular matrix, where one is needed and the cell is none yet."""
        cell = atoms.cell.array
        if not triangular or _is_triangular(cell) or _is_triangular(cell.T):
            return cls(None)
        return cls(np.array(atoms.cell.standard_form()[1]))

    def turn(self, atoms: Atoms) -> None:
        """Turn a structure in place: cell and positions."""
        if self.rotation is not None:
            cell, positions = atoms.cell.array @ self.rotation.T, atoms.positions @ self.rotation.T
            # Exact zeros, which a product does not give.
            atoms.set_cell(np.tril(cell))
            atoms.positions = positions

    def turn_mask(self, mask: list[Any]) -> list[Any]:
        """Return which Cartesian strains may change, [3] or [3, 3], as seen in the turned axes.

        :raises ValueError: one line, if the axes are turned such that they mix what changes and what does not.
        """
        given = np.array(mask)
        matrix = np.outer(given, given) if given.ndim == 1 else given
        if self.rotation is None or matrix.all():
            return mask
        permutation = np.rint(np.abs(self.rotation)).astype(int)
        if not np.allclose(np.abs(self.rotation), permutation, atol=1e-8):
            raise ValueError(
                f"parameter 'mask' of dynamics is {mask}, but for npt-melchionna this cell has to be turned, which "
                "mixes the axes: take a cell with its vectors along them, or npt-mtk, whose mask is of lattice vectors"
            )
        turned: list[Any] = (permutation @ matrix @ permutation.T).tolist()
        return turned

    def back(self, vectors: Any) -> Any:
        """Return row vectors [..., 3] (positions, velocities, forces, lattice vectors) in the given orientation."""
        return vectors if self.rotation is None else vectors @ self.rotation

    def stress_back(self, stress: Array) -> Array:
        """Return a stress [6] in the given orientation."""
        if self.rotation is None:
            return stress
        turned: Array = full_3x3_to_voigt_6_stress(self.rotation.T @ voigt_6_to_full_3x3_stress(stress) @ self.rotation)
        return turned


def oriented(start: Atoms, settings: Settings) -> tuple[Orientation, Settings]:
    """Return how a structure is turned for its integrator, and the settings with a mask that follows.

    :raises EngineError: ``INVALID_JOB``, if the turned axes mix what may change and what may not.
    """
    triangular = integrator_of(settings).triangular
    orientation = Orientation.of(start, triangular)
    if settings.mask is None or not triangular:
        return orientation, settings
    try:
        return orientation, replace(settings, mask=orientation.turn_mask(settings.mask))
    except ValueError as error:
        raise EngineError(Condition.INVALID_JOB, str(error)) from error


def _is_triangular(cell: Array) -> bool:
    return bool(cell[1, 0] == cell[2, 0] == cell[2, 1] == 0.0)

"""Stops a run at the first number of a model that is not finite, before the integrator spreads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from crucible_engine.families.calculators import WrappingCalculator
from crucible_engine.tasks.dynamics.crystal.watch import Finding

LARGEST_COMPRESSION = 30.0
"""Change of the volume beyond which no model is asked any more: its neighbour lists would fill the memory."""


class LostError(Exception):
    """The run cannot go on."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.reason)
        self.finding = finding


class GuardedCalculator(WrappingCalculator):
    """Raises :class:`LostError` where geometry or answer are not finite, or the cell has collapsed.

    :param inner: the model; other replicas may share it.
    :param volume: of the cell in which the guarded run began, Å³; 0 without a cell.
    """

    def __init__(self, inner: Calculator, volume: float) -> None:
        super().__init__(inner)
        self._volume = volume

    def ask(self, atoms: Atoms, properties: Sequence[str]) -> dict[str, Any]:
        """Return what the model says, see :meth:`WrappingCalculator.ask`.

        :raises LostError: if it means nothing.
        """
        if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
            raise LostError(Finding("non-finite", "positions or cell became NaN or infinite", {"what": "positions"}))
        volume = volume_of(atoms)
        if not self._volume / LARGEST_COMPRESSION <= volume <= self._volume * LARGEST_COMPRESSION:
            raise LostError(
                Finding(
                    "exploded",
                    f"the volume went from {self._volume:.4g} to {volume:.4g} Å³",
                    {"volume": volume, "volume_at_start": self._volume},
                )
            )
        answer = super().ask(atoms, properties)
        for name, value in answer.items():
            if not np.isfinite(value).all():
                raise LostError(Finding("non-finite", f"the model gave NaN or infinity for {name}", {"what": name}))
        return answer


def volume_of(atoms: Atoms) -> float:
    """Return the volume that the lattice vectors span, Å³; 0 where they are fewer than three."""
    return abs(float(np.linalg.det(atoms.cell.array)))

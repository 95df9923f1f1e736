"""Stops a run at the first number of a model that means nothing, before the integrator spreads it."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase.calculators.calculator import Calculator

from crucible_engine.dynamics.watch import Finding

LARGEST_COMPRESSION = 30.0
"""Change of the volume beyond which no model is asked any more: its neighbour lists would fill the memory."""


class LostError(Exception):
    """The run cannot go on.

    :param finding: why.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.reason)
        self.finding = finding


def guard(calculator: Calculator) -> Calculator:
    """Make a calculator raise :class:`LostError` where geometry or answer are not finite, or the cell has collapsed."""
    ask = calculator.calculate
    volume_before: list[float] = []

    def calculate(atoms: Any = None, *arguments: Any, **named: Any) -> None:
        if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
            raise LostError(Finding("non-finite", "positions or cell became NaN or infinite", {"what": "positions"}))
        volume = abs(float(np.linalg.det(atoms.cell.array)))
        volume_before.extend([] if volume_before else [volume])
        if not volume_before[0] / LARGEST_COMPRESSION <= volume <= volume_before[0] * LARGEST_COMPRESSION:
            raise LostError(
                Finding(
                    "exploded",
                    f"the volume went from {volume_before[0]:.4g} to {volume:.4g} Å³",
                    {"volume": volume, "volume_at_start": volume_before[0]},
                )
            )
        ask(atoms, *arguments, **named)
        for name in ("energy", "forces", "stress"):
            if name in calculator.results and not np.isfinite(calculator.results[name]).all():
                raise LostError(Finding("non-finite", f"the model gave NaN or infinity for {name}", {"what": name}))

    calculator.calculate = calculate
    return calculator

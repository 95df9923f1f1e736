"""Melting in a sweep, told from a transition between crystals by outcome and volume.

A run that melted bounds the melting temperature of the simulated cell from above, the hottest crystal below it from
below. A perfect periodic crystal has no surface to melt from and superheats, by 10 to 30 % (Luo et al., Phys. Rev. B
68, 134206 (2003)): the bracket is of where this cell loses its order, which is above the thermodynamic melting point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aiida_crucible.analysis.transitions.models import Role
from aiida_crucible.analysis.transitions.records import MELTED, Kind, SweepRun, Transition

LINE_POINTS = 6
"""Runs of the crystal below melting that its volume is extrapolated from."""

CLEAR_DIFFERENCE = 3.0
"""Standard errors by which a volume is off the crystal's."""


def find_melting(runs: Sequence[SweepRun], roles: Mapping[str, Role]) -> Transition | None:
    """Return the melting transition, or None where no run melted.

    A diffusive run just below the first melted one may be either: its volume decides, where there is one that can.

    :param runs: ascending in temperature, failed ones left out.
    """
    molten = [run.temperature for run in runs if run.outcome == MELTED]
    if not molten:
        return None
    upper = min(molten)
    below = [run for run in runs if run.temperature < upper]
    lower = max((run.temperature for run in below if run.outcome == "stable"), default=None)
    volumes = _volumes(runs, roles)
    evidence: dict[str, Any] = {"melted": molten, "last_stable": lower}
    stable = [t for t in volumes if lower is not None and t <= lower][-LINE_POINTS:]
    jump = _volume_jump(volumes, stable, upper)
    if jump is not None:
        evidence["volume_jump"], evidence["volume_jump_error"] = jump
        lower, upper = _narrow(volumes, stable, [run.temperature for run in below], lower, upper)
    groups = [run.space_group for run in below if run.robust and run.space_group and run.temperature <= (lower or 0)]
    seen = "" if jump is None else f", the volume {'rises' if jump[0] > 0 else 'falls'} by {abs(jump[0]):.3g}"
    start = "already molten at the lowest temperature" if lower is None else f"a crystal up to {lower:g} K"
    return Transition(
        kind=Kind.MELTING,
        temperature=upper if lower is None else 0.5 * (lower + upper),
        interval=(lower, upper),
        confidence=0.95,
        space_group_below=groups[-1] if groups else None,
        space_group_above=None,
        evidence=evidence,
        reason=f"{start}, molten at {upper:g} K{seen}",
    )


def _volumes(runs: Sequence[SweepRun], roles: Mapping[str, Role]) -> dict[float, tuple[float, float]]:
    for name, role in roles.items():
        if role is Role.VOLUME:
            return {
                run.temperature: run.observables[name]
                for run in runs
                if name in run.observables and np.isfinite(run.observables[name]).all()
            }
    return {}


def _volume_jump(
    volumes: Mapping[float, tuple[float, float]], crystal: Sequence[float], at: float
) -> tuple[float, float] | None:
    """Return by how much the volume at a temperature is above the crystal's, with the error, or None if unknown."""
    if len(crystal) < 2 or at not in volumes:
        return None
    value, error = volumes[at]
    expected, uncertainty = _expected(volumes, crystal, at)
    return value - expected, float(np.hypot(error, uncertainty))


def _narrow(
    volumes: Mapping[float, tuple[float, float]],
    stable: Sequence[float],
    below: Sequence[float],
    lower: float | None,
    upper: float,
) -> tuple[float | None, float]:
    """Return the bracket, moved up past diffusive runs with the crystal's volume and down past those with the melt's.

    A run in between counts as neither, and so does every run where crystal and melt differ too little.
    """
    melt = _volume_jump(volumes, stable, upper)
    for temperature in sorted(t for t in below if lower is not None and t > lower):
        off = _volume_jump(volumes, stable, temperature)
        if melt is None or off is None or abs(melt[0]) < 2 * CLEAR_DIFFERENCE * max(melt[1], off[1]):
            break
        if abs(off[0]) < CLEAR_DIFFERENCE * off[1]:
            lower = temperature
        elif abs(off[0] - melt[0]) < CLEAR_DIFFERENCE * off[1] + 0.2 * abs(melt[0]):
            upper = temperature
            break
    return lower, upper


def _expected(volumes: Mapping[float, tuple[float, float]], crystal: Sequence[float], at: float) -> tuple[float, float]:
    """Return the crystal's volume, extrapolated along the line through its runs, and its error."""
    t = np.array(crystal) - at
    values, errors = np.array([volumes[key] for key in crystal]).T
    errors = np.maximum(errors, max(1e-12, 1e-6 * np.abs(values).max()))
    design = np.vander(t, 2, increasing=True) / errors[:, None]
    covariance = np.linalg.pinv(design.T @ design)
    coefficients = covariance @ design.T @ (values / errors)
    misfit = np.sum((design @ coefficients - values / errors) ** 2) / max(len(t) - design.shape[1], 1)
    return float(coefficients[0]), float(np.sqrt(covariance[0, 0] * max(1.0, misfit)))

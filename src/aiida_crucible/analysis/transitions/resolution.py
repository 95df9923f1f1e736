"""Would a sweep have shown a transition of the size that matters? If not, finding none means nothing.

A step of that size is planted between neighbouring temperatures, with the errors that the runs have, and the search's
own evidence for it is counted: what would not have been found has not been excluded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from aiida_crucible.analysis.transitions.fits import DECISIVE
from aiida_crucible.analysis.transitions.models import Array, Role, jump_options, prepare_series, scores, smooth_options
from aiida_crucible.analysis.transitions.records import SweepRun
from aiida_crucible.analysis.transitions.search import Readings

LEAST_TEMPERATURES = 5
"""Crystalline temperatures below which the absence of a transition cannot be told."""

LEAST_SIDE = 2
"""Temperatures on each side of a step that is looked for; a single one that differs may be no more than that."""

ROBUST_SHARE = 2 / 3
"""Share of the temperatures whose robust space group stands for an order parameter that is not known."""


def unresolved(
    runs: Sequence[SweepRun], readings: Readings, roles: Mapping[str, Role], sizes: Mapping[str, float]
) -> list[str]:
    """Return why a transition of the size that matters may have been missed in these crystalline runs; nothing if none.

    Every order parameter and every strain has to have the errors that would have shown it; a volume alone shows no
    continuous transition. Where there is neither, space groups have to.

    :param runs: ascending in temperature.
    :param readings: observables that count, of these runs.
    :param sizes: least step that matters, in the observable's unit; one without a size is not asked.
    """
    telling = {name: curve for name, curve in readings.items() if roles[name] is not Role.VOLUME and name in sizes}
    if not telling:
        return [] if _groups_tell(runs) else ["neither an order parameter nor strains nor robust space groups tell"]
    doubts = []
    hidden: dict[float, list[str]] = {}
    for name, curve in telling.items():
        missing = [run.temperature for run in (runs[0], runs[-1]) if run.temperature not in curve[0]]
        if len(curve[0]) < LEAST_TEMPERATURES or missing:
            doubts.append(f"{name} is known at {len(curve[0])} temperatures of {len(runs)} only")
        elif least_evidence(name, roles[name], curve, sizes[name]) < DECISIVE:
            hidden.setdefault(sizes[name], []).append(f"{name} (up to {np.max(curve[2]):.2g})")
    return doubts + [
        f"the errors of {', '.join(names)} hide a change of {size:g}, {size / 10:g} are needed"
        for size, names in hidden.items()
    ]


def least_evidence(name: str, role: Role, curve: tuple[Array, Array, Array], size: float) -> float:
    """Return 2 ln of the evidence for a step of an observable, where on the grid it is least.

    :param curve: temperatures (K, ascending), values and standard errors, [n] each; of the values the level counts.
    :param size: of the step, in the observable's unit.
    """
    temperatures, values, errors = curve
    found = []
    for split in range(LEAST_SIDE, len(temperatures) - LEAST_SIDE + 1):
        planted = np.where(np.arange(len(temperatures)) < split, size, 0.0)
        if role is Role.ORDER_PARAMETER:
            # The squares of an order parameter that stays small are what a step down would end in.
            planted = planted + min(float(np.abs(values).min()), size)
        series = prepare_series(name, role, temperatures, planted, errors)
        ends = temperatures[split - 1 : split], temperatures[split : split + 1]
        width = float(np.diff(temperatures)[split - 1] / np.ptp(temperatures))
        step = float(scores(jump_options(series, *ends), len(series))[0]) - 2 * np.log(width)
        found.append(float(scores(smooth_options(series), len(series))[0]) - step)
    return float(min(found))


def _groups_tell(runs: Sequence[SweepRun]) -> bool:
    known = [run for run in runs if run.robust and run.space_group]
    return len(known) >= ROBUST_SHARE * len(runs) and runs[0] in known and runs[-1] in known

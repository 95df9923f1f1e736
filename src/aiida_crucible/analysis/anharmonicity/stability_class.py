"""The class of stability that runs of a crystal say, or why they cannot tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.analysis.anharmonicity.force_runs import ForceRun
from aiida_crucible.analysis.anharmonicity.modes import ModeBasis
from aiida_crucible.analysis.anharmonicity.score import Score, classify
from aiida_crucible.analysis.benchmark.stability_classes import CANNOT_TELL
from aiida_crucible.analysis.dynamics.thermostats import is_overdamped, relaxation_time
from aiida_crucible.analysis.statistics.averages import average
from aiida_crucible.analysis.statistics.trends import apart, drifting

RELAXATIONS = 10.0
"""Relaxation times of an overdamped mode that a run has to last: it has forgotten its beginning, and a drift shows."""

RESOLUTION = 0.01
"""Smallest difference of scores that is one: they are told with two digits, and those of springs are rounding."""

NO_FREQUENCY = 1e-3
"""Of the highest frequency: below it force constants do not tell a soft mode from none."""

PICOSECOND = 1000.0
"""fs."""


def class_of(
    score: Score,
    series: Sequence[NDArray[np.float64]],
    coverage_factor: float,
    *,
    runs: Sequence[ForceRun],
    modes: ModeBasis | None,
) -> tuple[str, list[str]]:
    """Return the class of a score, or ``cannot-tell`` with the reasons where the runs are of no steady state.

    :param score: time-averaged.
    :param series: σ(t) of each run.
    :param coverage_factor: see :func:`aiida_crucible.analysis.anharmonicity.score.classify`.
    :param modes: of the supercell by the force constants at hand; ``None`` where they were not solved for.
    """
    doubts = [*_drift(series), *_disagreement(series), *_overdamping(runs, modes)]
    return (CANNOT_TELL, doubts) if doubts else (classify(score, coverage_factor), [])


def _drift(series: Sequence[NDArray[np.float64]]) -> list[str]:
    found = drifting(series)
    if found is None or abs(found[1].change) < RESOLUTION:
        return []
    number, trend = found
    rests = drifting([series[number][len(series[number]) // 2 :]]) is None
    remedy = "leave out its first half (discard), or run longer" if rests else "run longer, and leave out the start"
    return [
        f"σ drifts in run {number}, by {trend.change:+.2f} ± {trend.standard_error:.2f} from start to end, so that its "
        f"average is of no state of the crystal: {remedy}"
    ]


def _disagreement(series: Sequence[NDArray[np.float64]]) -> list[str]:
    averages = [average(values, cut=0) for values in series]
    pair = apart(averages)
    if pair is None or abs(averages[pair[0]].mean - averages[pair[1]].mean) < RESOLUTION:
        return []
    first, second = (f"{averages[number].mean:.2f} ± {averages[number].standard_error:.2f}" for number in pair)
    return [
        f"σ is {first} in run {pair[0]} and {second} in run {pair[1]}: they have not seen the same states of the "
        "crystal; run longer"
    ]


def _overdamping(runs: Sequence[ForceRun], modes: ModeBasis | None) -> list[str]:
    """Say where the thermostat overdamps the softest mode and the runs are too short for it to have moved."""
    damping = max((run.damping or 0.0 for run in runs), default=0.0)
    frequency = None if modes is None else softest(modes)
    if frequency is None or not is_overdamped(damping, frequency):
        return []
    time, durations = relaxation_time(damping, frequency), [run.duration for run in runs if run.duration is not None]
    if durations and min(durations) >= RELAXATIONS * time:
        return []
    lasted = f"last {min(durations) / PICOSECOND:.3g} ps" if durations else "last an unknown time"
    mode = f"{abs(frequency):.2f}{'i' if frequency < 0 else ''} THz"
    return [
        f"the thermostat damps velocities at {PICOSECOND * damping:.3g}/ps, more than 2ω of the softest mode ({mode}), "
        f"which relaxes in {time / PICOSECOND:.3g} ps then, and the runs {lasted}: run {RELAXATIONS:g} times that, or "
        "with a weaker thermostat"
    ]


def softest(modes: ModeBasis) -> float | None:
    """Return the frequency nearest to zero of a mode that a force acts on, THz; ``None`` if there is none."""
    frequencies = modes.frequencies[~modes.translations]
    held = frequencies[np.abs(frequencies) > NO_FREQUENCY * np.abs(frequencies).max(initial=0.0)]
    return float(held[int(np.argmin(np.abs(held)))]) if len(held) else None


def as_warnings(doubts: Sequence[str]) -> list[str]:
    """Return the reasons as warnings that say what the class is for them."""
    return [f"the class is {CANNOT_TELL}: {doubt}" for doubt in doubts]

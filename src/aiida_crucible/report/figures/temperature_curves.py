"""What a temperature sweep says of a model, taken from its nodes for a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from aiida.orm import ArrayData, Dict

LENGTHS = ("a", "b", "c")
DRAWN = (*LENGTHS, "c_over_a", "order_parameter", "polarization")
"""Quantities of which a figure has panels."""


@dataclass(frozen=True)
class TransitionInterval:
    """Where a transition lies.

    :param kind: as :class:`aiida_crucible.analysis.transitions.records.Kind` says it.
    :param temperature: best estimate, K.
    :param low: lower end, K; ``None`` if it is below the sweep.
    :param high: upper end, K; ``None`` if it is above the sweep.
    """

    kind: str
    temperature: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class TemperatureCurves:
    """What one model's sweep says.

    :param name: whose curves they are, for the legend.
    :param temperatures: [n] in K, ascending.
    :param values: means by quantity (``a``, ``b``, ``c`` in Å, ``c_over_a``, ``order_parameter`` in Å, ``polarization``
        in µC/cm²), [n] each, NaN where there is none.
    :param errors: standard errors of some of them, [n] each.
    :param outcomes: [n] what became of each run (``stable`` … ``non-finite``, ``failed``, ``not-run``).
    :param transitions: found in the sweep.
    :param short: by quantity which means are of too few independent values for their errors to be believed, [n] each.
    :param length: of the runs, ps, shortest and longest; ``None`` if unknown.
    """

    name: str
    temperatures: NDArray[np.float64]
    values: Mapping[str, NDArray[np.float64]]
    errors: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    outcomes: Sequence[str] = ()
    transitions: Sequence[TransitionInterval] = ()
    short: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    length: tuple[float, float] | None = None

    def believed_transitions(self) -> list[TransitionInterval]:
        """Return the transitions of which no run within the interval, nor the next on each side, is too short."""
        lattice = [self.short[name] for name in LENGTHS if name in self.short]
        is_short = np.any(lattice, axis=0) if lattice else np.zeros(len(self.temperatures), dtype=bool)
        return [each for each in self.transitions if not is_short[self._around(each)].any()]

    def _around(self, transition: TransitionInterval) -> slice:
        """Return which runs a transition lies between: a fit's interval ends between temperatures that were run."""
        low = self.temperatures[0] if transition.low is None else transition.low
        high = self.temperatures[-1] if transition.high is None else transition.high
        first = int(np.searchsorted(self.temperatures, low, side="right")) - 1
        last = int(np.searchsorted(self.temperatures, high, side="left"))
        return slice(max(first, 0), last + 1)


@dataclass(frozen=True)
class KnownValues:
    """What is known of a crystal from elsewhere, as lines across the panels.

    :param name: its source for people: ``experiment``.
    :param values: by quantity, in its unit.
    :param transition_temperature: K.
    """

    name: str
    values: Mapping[str, float] = field(default_factory=dict)
    transition_temperature: float | None = None


def temperature_curves(name: str, curves: ArrayData, analysis: Dict, transitions: Dict) -> TemperatureCurves:
    """Return what AiiDA nodes hold, the outputs of a ``TemperatureSweepWorkChain``.

    :param name: whose they are.
    """
    given = {key: curves.get_array(key) for key in curves.get_arraynames()}
    entries = sorted(analysis.get_dict().values(), key=lambda entry: float(entry["temperature"]))
    drawn = [key for key in DRAWN if key in given]
    durations = [duration for entry in entries if (duration := run_length(entry)) is not None]
    return TemperatureCurves(
        name,
        given["temperatures"],
        {key: given[key] for key in drawn},
        {key: given[f"{key}_error"] for key in drawn},
        [entry.get("outcome") or entry["state"] for entry in entries],
        [
            TransitionInterval(item["kind"], item["temperature"], *item["interval"])
            for item in transitions.get_dict()["transitions"]
        ],
        {key: np.array([_is_short(entry, key) for entry in entries]) for key in drawn},
        (min(durations), max(durations)) if durations else None,
    )


def joined(name: str, sweeps: Sequence[TemperatureCurves]) -> TemperatureCurves:
    """Return sweeps at different temperatures as one, such as of the same model with runs of the same length.

    :param name: whose they are together.
    :param sweeps: at least one; quantities that not all of them have are left out.
    """
    order = np.argsort(np.concatenate([each.temperatures for each in sweeps]), kind="stable")
    outcomes = [outcome for each in sweeps for outcome in each.outcomes]
    lengths = [length for each in sweeps for length in (each.length or ())]

    def together(arrays: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
        shared = [key for key in arrays[0] if all(key in other for other in arrays)]
        return {key: np.concatenate([each[key] for each in arrays])[order] for key in shared}

    return TemperatureCurves(
        name,
        np.concatenate([each.temperatures for each in sweeps])[order],
        together([each.values for each in sweeps]),
        together([each.errors for each in sweeps]),
        [outcomes[index] for index in order],
        [transition for each in sweeps for transition in each.transitions],
        together([each.short for each in sweeps]),
        (min(lengths), max(lengths)) if lengths else None,
    )


def run_length(entry: Mapping[str, Any]) -> float | None:
    """Return how long the run of an analysis was, ps; ``None`` where that is not known."""
    steps, time_step = entry.get("step"), entry.get("time_step")
    return None if steps is None or time_step is None else steps * time_step / 1000


def _is_short(entry: Mapping[str, Any], key: str) -> bool:
    return bool(entry.get("averages", {}).get(key, {}).get("warning"))

"""Figures of anharmonicity: the score over the frames, by element, and against temperature."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import AutoMinorLocator
from numpy.typing import NDArray

from aiida_crucible.analysis.benchmark.stability_classes import BORDERS
from aiida_crucible.report.figures import COLOURS

if TYPE_CHECKING:
    from aiida.orm import ArrayData, Dict
    from matplotlib.axes import Axes

MARKERS = ("o", "s", "D", "^", "v", "P")


@dataclass(frozen=True)
class AnharmonicityScores:
    """What is known of the anharmonicity by one model, or by a reference, with one set of force constants.

    :param name: whose it is, for the legend.
    :param frames: σ of each frame, [n_frames].
    :param runs: number of the run that each frame is of, [n_frames].
    :param species: σ and its standard error (not a number where there is none) by element.
    :param temperatures: [n] in K.
    :param curve: σ at each temperature, [n].
    :param errors: its standard error, [n].
    """

    name: str
    frames: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    runs: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    species: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    temperatures: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    curve: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    errors: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


def anharmonicity_scores(
    name: str, score: Dict, details: ArrayData, curves: ArrayData | None = None
) -> AnharmonicityScores:
    """Return what AiiDA nodes hold, outputs of an ``AnharmonicityWorkChain``.

    :param name: whose they are.
    :param score: of one combination.
    :param details: of the same one.
    :param curves: of own runs at several temperatures; the curve with the force constants of the combination is taken.
    """
    values = score.get_dict()
    species = {
        symbol: (_number(entry["value"]), _number(entry["standard_error"]))
        for symbol, entry in values["by"]["species"].items()
    }
    frames, runs = details.get_array("scores"), details.get_array("runs")
    key = f"{values['constants']}_constants"
    if curves is None or key not in curves.get_arraynames():
        return AnharmonicityScores(name, frames, runs, species)
    arrays = [curves.get_array(one) for one in ("temperatures", key, f"{key}_error")]
    return AnharmonicityScores(name, frames, runs, species, *arrays)


def plot_anharmonicity(scores: Sequence[AnharmonicityScores], title: str = "") -> Figure:
    """Draw several scores over each other: σ(t), σ by element and, where there is more than one temperature, σ(T).

    The borders of the classes of stability are dashed.

    :param scores: at least one.
    :param title: above the figure.
    :return: a figure that belongs to no window, ready for
        :func:`aiida_crucible.report.temperature_figures.save_figure`.
    :raises ValueError: if there is nothing to draw.
    """
    if not any(len(one.frames) or len(one.curve) for one in scores):
        raise ValueError("there are no anharmonicity scores to draw")
    draws = [_draw_frames, _draw_species]
    if any(len(one.temperatures) > 1 for one in scores):
        draws.append(_draw_curves)
    figure = Figure(figsize=(1.0 + 3.0 * len(draws), 3.6), dpi=200, layout="constrained")
    panels = figure.subplots(1, len(draws), sharey=True, squeeze=False)[0]
    for axes, draw in zip(panels, draws, strict=True):
        draw(axes, scores)
        for border in BORDERS:
            axes.axhline(border, color="0.5", linestyle="--", linewidth=0.7, zorder=0)
    panels[0].set_ylim(0, 1.08 * max(BORDERS[0], *(_highest(one) for one in scores)))
    panels[0].set_ylabel("anharmonicity σ")
    panels[0].yaxis.set_minor_locator(AutoMinorLocator())
    for number, one in enumerate(scores):
        panels[0].plot([], [], color=_colour(number), marker=_marker(number), markersize=4, label=one.name)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=8, title=title or None)
    return figure


def _draw_frames(axes: Axes, scores: Sequence[AnharmonicityScores]) -> None:
    for number, one in enumerate(scores):
        places = np.arange(1, len(one.frames) + 1)
        for run in np.unique(one.runs):
            own = one.runs == run
            axes.plot(places[own], one.frames[own], color=_colour(number), linewidth=0.7, alpha=0.8)
    axes.set_xlabel("frame, run after run")
    axes.margins(x=0.02)
    axes.xaxis.set_minor_locator(AutoMinorLocator())


def _draw_species(axes: Axes, scores: Sequence[AnharmonicityScores]) -> None:
    symbols = list(dict.fromkeys(symbol for one in scores for symbol in one.species))
    width = 0.8 / len(scores)
    for number, one in enumerate(scores):
        places = [symbols.index(symbol) + (number - (len(scores) - 1) / 2) * width for symbol in one.species]
        values = [value for value, _ in one.species.values()]
        errors = [error for _, error in one.species.values()]
        axes.bar(places, values, 0.9 * width, yerr=errors, color=_colour(number), error_kw={"linewidth": 0.8})
    axes.set_xticks(range(len(symbols)), symbols)
    axes.tick_params(axis="x", length=0)
    axes.set_xlabel("element")


def _draw_curves(axes: Axes, scores: Sequence[AnharmonicityScores]) -> None:
    for number, one in enumerate(scores):
        if len(one.temperatures):
            style: dict[str, Any] = {
                "color": _colour(number),
                "marker": _marker(number),
                "markersize": 4,
                "linewidth": 1.0,
            }
            axes.errorbar(one.temperatures, one.curve, yerr=one.errors, capsize=2, **style)
    axes.set_xlabel("temperature (K)")
    axes.xaxis.set_minor_locator(AutoMinorLocator())


def _highest(one: AnharmonicityScores) -> float:
    known = [*one.frames, *(value for value, _ in one.species.values()), *one.curve]
    return max((value for value in known if math.isfinite(value)), default=0.0)


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _marker(number: int) -> str:
    return MARKERS[number % len(MARKERS)]


def _number(value: float | None) -> float:
    return math.nan if value is None else value

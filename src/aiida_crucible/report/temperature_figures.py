"""Figures of temperature sweeps: lattice parameters, their ratio and the polarization against temperature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import AutoMinorLocator
from numpy.typing import NDArray

from aiida_crucible.report.figures import COLOURS
from aiida_crucible.report.plain_panels import by_number

if TYPE_CHECKING:
    from aiida.orm import ArrayData, Dict
    from matplotlib.axes import Axes

PANELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("lattice parameter (Å)", ("a", "b", "c")),
    ("c/a", ("c_over_a",)),
    ("polarization (µC/cm²)", ("polarization",)),
)
"""Label and quantities of each panel, from top to bottom; one without numbers is left out."""

MARKERS = {"a": "o", "b": "^", "c": "s", "c_over_a": "D", "polarization": "P"}
OUTCOME_MARKERS = {
    "stable": "o",
    "diffusive": "d",
    "melted": "v",
    "atoms-lost": "<",
    "exploded": "*",
    "non-finite": "X",
    "failed": "x",
    "not-run": "_",
}
"""A run that did not end in a crystal is marked in the strip on top, where its model has a row."""
CRYSTAL_TRANSITIONS = ("first-order", "continuous", "undetermined-order")
SUFFIXES = (".png", ".pdf")


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
    :param values: means by quantity (``a``, ``b``, ``c`` in Å, ``c_over_a``, ``polarization`` in µC/cm²), [n] each, NaN
        where there is none.
    :param errors: standard errors of some of them, [n] each.
    :param outcomes: [n] what became of each run (``stable`` … ``non-finite``, ``failed``, ``not-run``).
    :param transitions: found in the sweep.
    """

    name: str
    temperatures: NDArray[np.float64]
    values: Mapping[str, NDArray[np.float64]]
    errors: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    outcomes: Sequence[str] = ()
    transitions: Sequence[TransitionInterval] = ()


def temperature_curves(name: str, curves: ArrayData, analysis: Dict, transitions: Dict) -> TemperatureCurves:
    """Return what AiiDA nodes hold, the outputs of a ``TemperatureSweepWorkChain``.

    :param name: whose they are.
    """
    given = {key: curves.get_array(key) for key in curves.get_arraynames()}
    entries = sorted(analysis.get_dict().values(), key=lambda entry: float(entry["temperature"]))
    return TemperatureCurves(
        name,
        given["temperatures"],
        {key: given[key] for key in MARKERS if key in given},
        {key: given[f"{key}_error"] for key in MARKERS if key in given},
        [entry.get("outcome") or entry["state"] for entry in entries],
        [
            TransitionInterval(item["kind"], item["temperature"], *item["interval"])
            for item in transitions.get_dict()["transitions"]
        ],
    )


def plot_temperature_curves(models: Sequence[TemperatureCurves], title: str = "") -> Figure:
    """Draw several models' sweeps over each other, one panel a kind of quantity, and a strip of outcomes on top.

    Transitions between crystals are shaded over their interval in the model's colour; where the crystal is lost the
    shading is hatched.

    :param models: at least one.
    :param title: above the figure.
    :return: a figure that belongs to no window, ready for :func:`save_figure`.
    :raises ValueError: if there is nothing to draw.
    """
    if not models:
        raise ValueError("there is no temperature sweep to draw")
    panels = [(label, [name for name in names if any(_has(one, name) for one in models)]) for label, names in PANELS]
    panels = [(label, names) for label, names in panels if names]
    strip = 0.12 + 0.16 * len(models)
    heights = [strip, *([2.6] + [1.5] * len(panels))[: len(panels)]]
    figure = Figure(figsize=(6.0, sum(heights) + 1.1), dpi=200, layout="constrained")
    axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    # Shadings that are open to one side end where the panels do.
    axes[0].set_xlim(*_limits(models))
    _draw_outcomes(axes[0], models)
    for one, (label, names) in zip(axes[1:], panels, strict=True):
        _draw_panel(one, names, models)
        one.set_ylabel(label)
        one.yaxis.set_minor_locator(AutoMinorLocator())
    axes[-1].set_xlabel("temperature (K)")
    axes[-1].xaxis.set_minor_locator(AutoMinorLocator())
    handles = _legend(models, [name for _, names in panels for name in names])
    figure.legend(handles=handles, loc="outside upper center", ncols=5, frameon=False, fontsize=8, title=title or None)
    return figure


def save_figure(figure: Figure, path: Path) -> list[Path]:
    """Write a figure as PNG and as PDF.

    :param path: without a suffix.
    :return: the files.
    """
    files = [path.with_name(path.name + suffix) for suffix in SUFFIXES]
    for file in files:
        figure.savefig(file)
    return files


def _draw_outcomes(axes: Axes, models: Sequence[TemperatureCurves]) -> None:
    for row, model in enumerate(models):
        for temperature, outcome in zip(model.temperatures, model.outcomes, strict=False):
            is_crystal = outcome in ("stable", "diffusive")
            axes.plot(
                temperature,
                row,
                marker=OUTCOME_MARKERS[outcome],
                markersize=3.5 if outcome == "stable" else 6,
                color=by_number(COLOURS, row) if is_crystal else "0.1",
                linestyle="none",
                clip_on=False,
            )
    axes.set_yticks(range(len(models)), [model.name for model in models], fontsize=8)
    axes.set_ylim(len(models) - 0.4, -0.6)
    axes.tick_params(axis="both", which="both", length=0)
    for side in ("top", "left", "right", "bottom"):
        axes.spines[side].set_visible(False)


def _draw_panel(axes: Axes, names: Sequence[str], models: Sequence[TemperatureCurves]) -> None:
    for number, model in enumerate(models):
        for transition in model.transitions:
            _shade(axes, transition, by_number(COLOURS, number))
        for name in names:
            if _has(model, name):
                _draw_curve(axes, model, name, by_number(COLOURS, number))


def _draw_curve(axes: Axes, model: TemperatureCurves, name: str, colour: str) -> None:
    values = np.asarray(model.values[name], dtype=float)
    errors = np.nan_to_num(model.errors[name]) if name in model.errors else None
    known = np.isfinite(values)
    is_lost = [outcome not in ("stable", "diffusive") for outcome in model.outcomes] or [False] * len(values)
    axes.errorbar(
        model.temperatures[known],
        values[known],
        None if errors is None else errors[known],
        color=colour,
        linewidth=1.0,
        capsize=2.5,
    )
    for lost in (False, True):
        chosen = known & (np.array(is_lost) == lost)
        face = "white" if lost else colour
        axes.plot(
            model.temperatures[chosen],
            values[chosen],
            color=colour,
            marker=MARKERS[name],
            markersize=4.5,
            markerfacecolor=face,
            linestyle="none",
            zorder=3,
        )


def _shade(axes: Axes, transition: TransitionInterval, colour: str) -> None:
    left, right = axes.get_xlim()
    low = left if transition.low is None else transition.low
    high = right if transition.high is None else transition.high
    is_crystal = transition.kind in CRYSTAL_TRANSITIONS
    axes.axvspan(
        low,
        high,
        facecolor=colour if is_crystal else "none",
        edgecolor=colour,
        alpha=0.16 if is_crystal else 0.35,
        hatch=None if is_crystal else "////",
        linewidth=0.0,
        zorder=0,
    )
    if is_crystal:
        axes.axvline(transition.temperature, color=colour, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)


def _legend(models: Sequence[TemperatureCurves], names: Sequence[str]) -> list[Line2D]:
    """Return what is not said elsewhere: quantities that share a panel, and outcomes."""
    shared = [name for name in names if name in ("a", "b", "c")]
    handles = [_key(name, color="0.4", marker=MARKERS[name]) for name in shared]
    seen = [outcome for outcome in OUTCOME_MARKERS if any(outcome in model.outcomes for model in models)]
    for outcome in seen:
        if outcome != "stable":
            handles.append(_key(outcome, color="0.1", marker=OUTCOME_MARKERS[outcome], markersize=6))
    return handles


def _key(label: str, **style: Any) -> Line2D:
    return Line2D([], [], **{"linestyle": "none", "markersize": 4.5, **style}, label=label)


def _has(curves: TemperatureCurves, name: str) -> bool:
    return name in curves.values and bool(np.isfinite(curves.values[name]).any())


def _limits(curves: Sequence[TemperatureCurves]) -> tuple[float, float]:
    temperatures = np.concatenate([one.temperatures for one in curves])
    margin = max(0.04 * float(np.ptp(temperatures)), 10.0)
    return float(temperatures.min()) - margin, float(temperatures.max()) + margin

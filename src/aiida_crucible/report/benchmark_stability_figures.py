"""Figures of a benchmark: classes of stability by a model against those by a reference, and the scores behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import AutoMinorLocator
from numpy.typing import NDArray

from aiida_crucible.analysis.anharmonicity.combinations import REFERENCE
from aiida_crucible.analysis.benchmark.records import BenchmarkRow, Choice, choices_of, groups_of
from aiida_crucible.analysis.benchmark.stability_classes import BORDERS, CANNOT_TELL, Confusion, confusion
from aiida_crucible.report.figures import COLOURS
from aiida_crucible.report.plain_panels import MARKERS, by_number, point_style, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ByModel = Mapping[str, Sequence[BenchmarkRow]]

DARK = 0.55
"""Share of a row above which a cell is so dark that its text is white."""
UNDECIDED = "0.92"
"""Behind the materials of which a side cannot tell."""
LARGE_SIGMA = 3.0
"""Largest score that is drawn on a linear axis: above it the classes would have no room."""
SHADES = ("#e8f1f8", "#fdf3e1", "#f6e7e2")
"""Behind the classes that both sides agree on."""


def draw_confusion(models: ByModel) -> Figure | None:
    """Return the confusion matrix of each model (lines) and choice (columns): counts, and shares of the rows.

    Above each, the shares of all classed materials; below it, how many are in none of the classes. Where a side cannot
    tell of a material, that is a class of its own, without shares.
    """
    choices = _all_choices(models)
    if not choices:
        return None
    figure = Figure(layout="constrained", dpi=200)
    panels = wrapped(figure, len(models) * len(choices), 2.9, 3.7, sharex=False, sharey=False, most_beside=len(choices))
    places = [(model, rows, choice) for model, rows in models.items() for choice in choices]
    for axes, (model, rows, choice) in zip(panels, places, strict=True):
        both = [row for row in rows if row.difference(choice.label) is not None]
        by_reference, by_model = ([row.scores[label]["class"] for row in both] for label in (REFERENCE, choice.label))
        matrix = confusion(by_reference, by_model)
        _draw_matrix(axes, matrix)
        axes.set_title(f"{model}\n{pretty_choice(choice)}\n{_shares(matrix)}", fontsize=8)
        left_out = f"{matrix.undecided} undecided, {len(rows) - len(both)} without a score"
        axes.set_xlabel(f"by the model\n({left_out})", fontsize=8)
        axes.set_ylabel("by the reference", fontsize=8)
    return figure


def draw_sigma(models: ByModel) -> Figure | None:
    """Return σ of the model against the reference's with standard errors, a panel a choice, coloured by group."""
    choices = _all_choices(models)
    groups = groups_of([row for rows in models.values() for row in rows])
    drawn = [
        (model, choice, both)
        for model, rows in models.items()
        for choice in choices
        if (both := [row for row in rows if row.difference(choice.label) is not None])
    ]
    if not drawn:
        return None
    values = np.array(
        [
            value
            for _, choice, both in drawn
            for row in both
            for value in (row.sigma(REFERENCE), row.sigma(choice.label))
        ],
        dtype=float,
    )
    figure = Figure(layout="constrained", dpi=200)
    panels = wrapped(figure, len(drawn), 2.9, 3.2, most_beside=max(1, min(4, len(choices))))
    for axes, (model, choice, both) in zip(panels, drawn, strict=True):
        _draw_borders(axes, values)
        for number, group in enumerate(groups):
            own = [row for row in both if row.group == group]
            if own:
                _draw_points(axes, own, choice, number, len(both))
        axes.set_title(f"{model} ({len(both)})\n{pretty_choice(choice)}", fontsize=8)
        axes.set_xlabel("$\\sigma$ of the reference")
        place = axes.get_subplotspec()
        if place is None or place.is_first_col():
            axes.set_ylabel("$\\sigma$ of the model")
    for number, group in enumerate(groups):
        colour, marker = by_number(COLOURS, number), by_number(MARKERS, number)
        panels[0].plot([], [], color=colour, marker=marker, markersize=5, linestyle="none", label=group)
    figure.legend(loc="outside upper center", ncols=min(6, len(groups)), frameon=False, fontsize=8)
    return figure


def pretty_choice(choice: Choice) -> str:
    """Return a choice of frames and force constants in a few words."""
    one = choice.combination
    temperature = "" if one.temperature is None or choice.name != choice.label else f", {one.temperature:g} K"
    return f"{one.frames} frames, {one.constants} constants{temperature}"


def _all_choices(models: ByModel) -> list[Choice]:
    return choices_of([row for rows in models.values() for row in rows])


def _shares(matrix: Confusion) -> str:
    shares = matrix.shares()
    if shares["agreement"] is None:
        return "no material has both classes"
    named = {"agree": "agreement", "over": "over_stabilised", "under": "under_stabilised"}
    return " · ".join(f"{name} {_percent(shares[key])}" for name, key in named.items())


def _percent(share: float | None) -> str:
    """Return a share in per cent, of which little is told from nothing."""
    if share is None:
        return "-"
    return "<1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def _draw_matrix(axes: Axes, matrix: Confusion) -> None:
    counts = np.asarray(matrix.counts)
    rows = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, rows, out=np.zeros(counts.shape), where=rows > 0)
    names = list(matrix.classes)
    if matrix.undecided:
        names.append(CANNOT_TELL)
        shares = np.pad(shares, (0, 1), constant_values=np.nan)
    drawn = matrix.all_counts[: len(names), : len(names)]
    axes.set_facecolor(UNDECIDED)
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.15)
    for (row, column), count in np.ndenumerate(drawn):
        share = shares[row, column]
        is_share = np.isfinite(share) and rows[row, 0] > 0
        colour = "white" if is_share and share > DARK else "0.15"
        axes.text(column, row - 0.09, str(count), ha="center", va="center", color=colour, fontsize=10)
        text = _percent(float(share)) if is_share else "-"
        axes.text(column, row + 0.24, text, ha="center", va="center", color=colour, fontsize=7)
    size = 8 if len(names) == len(matrix.classes) else 7
    axes.set_xticks(range(len(names)), names, fontsize=size)
    axes.set_yticks(range(len(names)), names, fontsize=size, rotation=90, va="center")
    axes.tick_params(length=0)
    for border in np.arange(0.5, len(names) - 1):
        axes.axhline(border, color="white", linewidth=1.5)
        axes.axvline(border, color="white", linewidth=1.5)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_borders(axes: Axes, values: NDArray[np.float64]) -> None:
    """Draw the borders of the classes, and shade where both sides agree."""
    highest = max(1.2 * BORDERS[-1], 1.06 * float(values.max()))
    is_linear = highest <= LARGE_SIGMA or values.min() <= 0
    lowest = 0.0 if is_linear else min(0.5 * BORDERS[0], 0.9 * float(values.min()))
    if not is_linear:
        axes.set_xscale("log")
        axes.set_yscale("log")
    edges = (lowest, *BORDERS, highest)
    for shade, low, high in zip(SHADES, edges, edges[1:], strict=False):
        axes.fill_between([low, high], low, high, color=shade, linewidth=0, zorder=0)
    for border in BORDERS:
        axes.axhline(border, color="0.6", linestyle="--", linewidth=0.7, zorder=1)
        axes.axvline(border, color="0.6", linestyle="--", linewidth=0.7, zorder=1)
    axes.plot([lowest, highest], [lowest, highest], color="0.4", linewidth=0.8, zorder=1)
    axes.set_xlim(lowest, highest)
    axes.set_ylim(lowest, highest)
    axes.set_aspect("equal", adjustable="box")
    if is_linear:
        axes.xaxis.set_minor_locator(AutoMinorLocator())
        axes.yaxis.set_minor_locator(AutoMinorLocator())


def _draw_points(axes: Axes, rows: Sequence[BenchmarkRow], choice: Choice, number: int, n_points: int) -> None:
    """Draw the materials of one group; an error that is not known has no bar."""
    (x, x_errors), (y, y_errors) = (
        np.array([(row.sigma(label), row.standard_error(label)) for row in rows], dtype=float).T
        for label in (REFERENCE, choice.label)
    )
    colour = by_number(COLOURS, number)
    axes.errorbar(x, y, y_errors, x_errors, fmt="none", ecolor=colour, elinewidth=0.7, alpha=0.6, zorder=2)
    axes.scatter(x, y, color=colour, marker=by_number(MARKERS, number), zorder=3, **point_style(n_points))

"""Charts on paper, by matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import AutoMinorLocator, FixedLocator, LogLocator, NullFormatter, NullLocator

from aiida_crucible.report.charts.box_statistics import box_statistics, spread
from aiida_crucible.report.charts.chart import (
    AREA_OPACITY,
    Axis,
    Bars,
    Boxes,
    Cells,
    Chart,
    Level,
    Mark,
    Panel,
    Series,
    Span,
)
from aiida_crucible.report.charts.legend import add_title_and_legend
from aiida_crucible.report.charts.matplotlib_words import LINES, MARKERS, colour_of, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RESOLUTION = 200
"""Dots per inch of a PNG."""
DARK = 0.55
"""Share above which a cell is so dark that its text is white."""
PLACES = 4
"""Decimals of a place in a figure, of which it is 1 wide and high."""
MAP = "viridis"


def draw(chart: Chart) -> Figure:
    """Return a chart as a figure that belongs to no window."""
    widths, heights = chart.widths(), chart.heights()
    size = (chart.size[0] * sum(widths), chart.size[1] * sum(heights) + 0.5)
    figure = Figure(figsize=size, dpi=RESOLUTION, layout="constrained")
    grid = figure.subplots(
        chart.n_rows, chart.columns, squeeze=False, width_ratios=widths, height_ratios=heights,
        sharex="col" if chart.shares_x else False, sharey="row" if chart.shares_y else False,
    )  # fmt: skip
    shaded = None
    for axes, panel in zip(grid.flat, chart.panels, strict=False):
        shaded = _draw_panel(axes, panel, chart) or shaded
    for axes in list(grid.flat)[len(chart.panels) :]:
        axes.remove()
    if shaded is not None and chart.colour_scale is not None:
        used = list(grid.flat)[: len(chart.panels)]
        figure.colorbar(shaded, ax=used, label=plain(chart.colour_scale.title), shrink=0.9)
    add_title_and_legend(figure, chart)
    # Laid out once, and not again for each format.
    if (layout := figure.get_layout_engine()) is not None:
        layout.execute(figure)
    figure.set_layout_engine("none")
    _add_minor_ticks(list(grid.flat)[: len(chart.panels)])
    for axes in figure.axes:
        # The solver of the layout goes through sets: its last digits are others each time, and with them the names in
        # an SVG that are digests of places.
        axes.set_position(np.round(axes.get_position(original=True).bounds, PLACES))
    return figure


def _draw_panel(axes: Axes, panel: Panel, chart: Chart) -> Any:
    """Draw a panel and return what a colour bar can stand for; ``None`` if nothing is shaded."""
    shaded = None
    for order, mark in enumerate(panel.marks):
        shaded = _draw_mark(axes, mark, chart, 1.0 + order / 100) or shaded
    _scale(axes, "x", panel.x)
    _scale(axes, "y", panel.y)
    place = axes.get_subplotspec()
    is_labelled = not chart.shares_y or place is None or place.is_first_col()
    axes.set_ylabel(plain(panel.y.title) if is_labelled else "", fontsize=9)
    if not chart.shares_x or place is None or place.is_last_row():
        axes.set_xlabel(plain(panel.x.title), fontsize=9)
    if panel.title:
        axes.set_title(plain(panel.title), fontsize=8)
    if panel.is_square:
        axes.set_aspect("equal", adjustable="box")
    axes.tick_params(labelsize=8)
    return shaded


def _draw_mark(axes: Axes, mark: Mark, chart: Chart, order: float) -> Any:
    draws: dict[type, Callable[..., Any]] = {
        Series: _draw_series,
        Bars: _draw_bars,
        Boxes: _draw_boxes,
        Cells: _draw_cells,
        Span: _draw_span,
        Level: _draw_level,
    }
    return draws[type(mark)](axes, mark, chart, order)


def _draw_series(axes: Axes, series: Series, chart: Chart, order: float) -> Any:
    colour = colour_of(series.colour)
    if series.line is not None:
        axes.plot(
            series.x, series.y, color=colour, linewidth=series.width, linestyle=LINES[series.line],
            alpha=series.opacity, zorder=order,
        )  # fmt: skip
    if series.has_area and series.y_error is not None:
        low, high = series.y - series.y_error, series.y + series.y_error
        axes.fill_between(series.x, low, high, color=colour, alpha=AREA_OPACITY, linewidth=0, zorder=order)
    elif series.x_error is not None or series.y_error is not None:
        axes.errorbar(
            series.x, series.y, _known(series.y_error), _known(series.x_error), fmt="none", ecolor=colour,
            elinewidth=0.8, capsize=2.0, alpha=series.opacity, zorder=order,
        )  # fmt: skip
    if series.marker is None:
        return None
    style: dict[str, Any] = {
        "marker": MARKERS[series.marker],
        "s": series.size**2,
        "alpha": series.opacity,
        "zorder": order + 0.005,
    }
    if series.shade is not None and chart.colour_scale is not None:
        known = np.isfinite(series.shade)
        axes.scatter(series.x[~known], series.y[~known], facecolors="none", edgecolors="0.5", linewidths=0.8, **style)
        limits: dict[str, Any] = {"vmin": chart.colour_scale.low, "vmax": chart.colour_scale.high, "cmap": MAP}
        points = axes.scatter(
            series.x[known], series.y[known], c=series.shade[known], linewidths=0, **limits, **style
        )  # fmt: skip
        return points if known.any() else None
    hollow = np.zeros(len(series.x), dtype=bool) if series.hollow is None else np.asarray(series.hollow)
    for chosen, face in ((~hollow, colour), (hollow, "white")):
        axes.scatter(
            series.x[chosen], series.y[chosen], facecolors=face, edgecolors=colour, linewidths=0.9, **style
        )  # fmt: skip
    return None


def _draw_bars(axes: Axes, bars: Bars, chart: Chart, order: float) -> None:
    colours = [colour_of(colour) for colour in bars.colours]
    faces = ["none" if bars.is_outlined else colour for colour in colours]
    axes.barh(
        bars.places, bars.values - bars.base, left=bars.base, height=0.7, color=faces, edgecolor=colours,
        linewidth=1.0, zorder=order,
    )  # fmt: skip
    for place, value, text in zip(bars.places, bars.values, bars.texts, strict=False):
        axes.annotate(
            plain(text), (value, place), (3 if value >= bars.base else -3, 0), textcoords="offset points",
            ha="left" if value >= bars.base else "right", va="center", fontsize=7, annotation_clip=False,
        )  # fmt: skip


def _draw_boxes(axes: Axes, boxes: Boxes, chart: Chart, order: float) -> None:
    colour = colour_of(boxes.colour)
    for place, values in zip(boxes.places, boxes.values, strict=True):
        if not len(values):
            continue
        found = box_statistics(values)
        stats = {"med": found.median, "q1": found.lower, "q3": found.upper, "whislo": found.low, "whishi": found.high}
        line = {"color": colour, "linewidth": 0.9}
        axes.bxp(
            [stats], positions=[place], widths=0.8 * boxes.width, showfliers=False, patch_artist=True,
            manage_ticks=False, boxprops={"facecolor": colour, "alpha": 0.25, "edgecolor": "none"},
            medianprops={**line, "linewidth": 1.8}, whiskerprops=line, capprops=line,
        )  # fmt: skip
        points = place + spread(len(values), boxes.width)
        axes.scatter(points, values, s=9, color=colour, alpha=0.3 if len(values) > 60 else 0.9, linewidths=0, zorder=3)


def _draw_cells(axes: Axes, cells: Cells, chart: Chart, order: float) -> None:
    axes.set_facecolor("0.92")
    axes.imshow(cells.shares, cmap="Blues", vmin=0.0, vmax=1.15, aspect="auto", zorder=order)
    for row, texts in enumerate(cells.texts):
        for column, text in enumerate(texts):
            is_dark = bool(np.isfinite(cells.shares[row, column]) and cells.shares[row, column] > DARK)
            colour = "white" if is_dark else "0.15"
            axes.text(column, row, plain(text), ha="center", va="center", color=colour, fontsize=8, zorder=order + 1)
    axes.set_xticks(range(len(cells.columns)), [plain(name) for name in cells.columns])
    axes.set_yticks(range(len(cells.rows)), [plain(name) for name in cells.rows])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_span(axes: Axes, span: Span, chart: Chart, order: float) -> None:
    low, high = span.low, span.high
    colour = colour_of(span.colour)
    style: dict[str, Any] = {
        "facecolor": "none" if span.is_hatched else colour, "edgecolor": colour if span.is_hatched else "none",
        "hatch": "////" if span.is_hatched else None, "alpha": 0.35 if span.is_hatched else span.opacity,
        "linewidth": 0.0, "zorder": 0,
    }  # fmt: skip
    if span.within is not None:
        x, y = ((low, high), span.within) if span.along == "x" else (span.within, (low, high))
        axes.fill_between(x, y[0], y[1], **style)
        return
    (axes.axvspan if span.along == "x" else axes.axhspan)(low, high, **style)


def _draw_level(axes: Axes, level: Level, chart: Chart, order: float) -> None:
    draw_line = axes.axvline if level.along == "x" else axes.axhline
    draw_line(
        level.value, color=colour_of(level.colour), linewidth=level.width, linestyle=LINES[level.line], zorder=0.9
    )


def _scale(axes: Axes, direction: str, axis: Axis) -> None:
    own = axes.xaxis if direction == "x" else axes.yaxis
    if axis.is_logarithmic:
        (axes.set_xscale if direction == "x" else axes.set_yscale)("log")
        low, high = axis.limits or (1.0, 1e4)
        own.set_major_locator(LogLocator(subs=(1.0, 3.0) if high < 1000 * low else (1.0,)))
        own.set_major_formatter("{x:g}")
        own.set_minor_formatter(NullFormatter())
    if axis.limits is not None:
        (axes.set_xlim if direction == "x" else axes.set_ylim)(*axis.limits)
    if axis.is_reversed:
        own.set_inverted(True)
    if axis.second is not None:
        _add_second(axes, *axis.second)
    if axis.ticks is not None:
        own.set_ticks([place for place, _ in axis.ticks], [plain(label) for _, label in axis.ticks])
        own.set_minor_locator(NullLocator())
        own.set_tick_params(length=0)


def _add_second(axes: Axes, title: str, factor: float) -> None:
    second = axes.secondary_yaxis("right", functions=(lambda x: np.multiply(x, factor), lambda x: np.divide(x, factor)))
    second.set_ylabel(plain(title), fontsize=9)
    second.tick_params(labelsize=8)


def _add_minor_ticks(panels: Sequence[Axes]) -> None:
    """Add minor ticks where ticks are none of ours; after the layout, half of whose time they would take."""
    for panel in panels:
        for axis in (panel.xaxis, panel.yaxis, *(second.yaxis for second in panel.child_axes)):
            if axis.get_scale() == "linear" and not isinstance(axis.get_major_locator(), FixedLocator):
                axis.set_minor_locator(AutoMinorLocator(2))


def _known(errors: Any) -> Any:
    return None if errors is None else np.nan_to_num(errors)

"""Charts on a page, as what plotly.js takes (https://plotly.com/javascript/reference/)."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from aiida_crucible.report.charts.chart import Axis, Cells, Chart, Direction, Mark, Panel
from aiida_crucible.report.charts.plotly_traces import drawn
from aiida_crucible.report.charts.plotly_words import Place, Plain, number, text

PIXELS = 104
"""A panel's inch on a page."""
TOP, BOTTOM, BETWEEN = 14, 46, 40
"""Pixels above the first panel, below the last, and between two rows that have axes of their own."""


def to_plotly(chart: Chart) -> Plain:
    """Return a chart as plain types: ``data``, ``layout`` for a wide page and ``narrow`` for a small one."""
    data: list[Plain] = []
    shapes: list[Plain] = []
    named: set[str] = set()
    for place, panel in _places(chart, chart.columns):
        for mark in panel.marks:
            traces, own = drawn(mark, place, chart)
            for item in (*traces, *own):
                _enter_legend(item, mark, named)
            data += traces
            shapes += own
    is_stacked = chart.columns > 1 and len(set(chart.widths())) == 1
    wide = _layout(chart, chart.columns, shapes)
    return {"data": data, "layout": wide, "narrow": _layout(chart, 1, shapes) if is_stacked else wide}


def _places(chart: Chart, columns: int) -> list[tuple[Place, Panel]]:
    return [(Place(number, *divmod(number, columns)), panel) for number, panel in enumerate(chart.panels)]


def _enter_legend(item: Plain, mark: Mark, named: set[str]) -> None:
    """Give the first of each name an entry of the legend, by which all of it can be switched off."""
    name = "" if isinstance(mark, Cells) else mark.name
    item["showlegend"] = bool(name) and getattr(mark, "in_legend", True) and name not in named
    if item["showlegend"]:
        named.add(name)
    if name and item.get("name"):
        item["legendgroup"] = html.escape(name, quote=False)


def _layout(chart: Chart, columns: int, shapes: Sequence[Plain]) -> Plain:
    places = _places(chart, columns)
    n_rows = -(-len(places) // columns)
    tallest = [max(panel.height for place, panel in places if place.row == row) for row in range(n_rows)]
    heights = [chart.size[1] * PIXELS * height for height in tallest]
    gap = BETWEEN * 0.45 if chart.shares_x and columns == chart.columns else BETWEEN + 16
    # Titles have lines of their own.
    titled = max((18 + 15 * panel.title.count("\n") for panel in chart.panels if panel.title), default=0)
    inner = sum(heights) + (gap + titled) * (n_rows - 1) + titled
    layout: Plain = {
        "height": round(inner + TOP + BOTTOM),
        "margin": {"l": 62, "r": 16, "t": TOP, "b": BOTTOM},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hovermode": "closest",
        "shapes": list(shapes),
        "annotations": [],
    }
    widths = chart.widths() if columns == chart.columns else [1.0]
    for place, panel in places:
        top = inner - sum(heights[: place.row]) - (gap + titled) * place.row - titled
        vertical = [max(0.0, (top - heights[place.row]) / inner), top / inner]
        horizontal = _horizontal(widths, place.column, chart.shares_y)
        _add_axes(layout, chart, place, (horizontal, vertical), columns=columns)
        if panel.title:
            layout["annotations"].append(_title(panel.title, horizontal, vertical))
    if chart.colour_scale is not None:
        layout["coloraxis"] = {
            "cmin": chart.colour_scale.low,
            "cmax": chart.colour_scale.high,
            "colorscale": "Viridis",
            "colorbar": {"title": {"text": text(chart.colour_scale.title), "side": "right"}, "thickness": 12},
        }
    return layout


def _horizontal(widths: Sequence[float], column: int, shares_y: bool) -> list[float]:
    gap = 0.03 if shares_y else 0.09
    whole = 1.0 - gap * (len(widths) - 1)
    begin = whole * sum(widths[:column]) / sum(widths) + gap * column
    return [begin, begin + whole * widths[column] / sum(widths)]


def _title(plain: str, horizontal: Sequence[float], vertical: Sequence[float]) -> Plain:
    return {
        "text": text(plain), "showarrow": False, "xref": "paper", "yref": "paper",
        "x": sum(horizontal) / 2, "y": vertical[1], "yanchor": "bottom", "xanchor": "center", "font": {"size": 12},
    }  # fmt: skip


def _add_axes(
    layout: Plain, chart: Chart, place: Place, domains: tuple[list[float], list[float]], *, columns: int
) -> None:
    panel = chart.panels[place.number]
    x, y = _axis(panel.x, panel, "x"), _axis(panel.y, panel, "y")
    x |= {"domain": domains[0], "anchor": f"y{place.suffix}"}
    y |= {"domain": domains[1], "anchor": f"x{place.suffix}"}
    is_whole = columns == chart.columns
    if chart.shares_x and is_whole:
        below = place.number + columns < len(chart.panels)
        x["showticklabels"] = not below
        if below:
            x["title"] = {"text": ""}
        if place.row > 0:
            x["matches"] = f"x{Place(place.column, 0, place.column).suffix}"
    if chart.shares_y and is_whole and place.column > 0:
        y |= {"matches": f"y{Place(place.row * columns, place.row, 0).suffix}", "showticklabels": False}
        y["title"] = {"text": ""}
    if panel.is_square:
        y |= {"scaleanchor": f"x{place.suffix}", "constrain": "domain"}
        x["constrain"] = "domain"
    layout[f"xaxis{place.suffix}"], layout[f"yaxis{place.suffix}"] = x, y


def _axis(axis: Axis, panel: Panel, direction: Direction) -> Plain:
    made: Plain = {"title": {"text": text(axis.title), "standoff": 6}, "zeroline": False}
    ticks, limits, is_reversed = axis.ticks, axis.limits, axis.is_reversed
    for cells in (mark for mark in panel.marks if isinstance(mark, Cells)):
        names = cells.columns if direction == "x" else cells.rows
        ticks, limits = list(enumerate(names)), (-0.5, len(names) - 0.5)
        is_reversed = direction == "y"
    if axis.is_logarithmic:
        made["type"] = "log"
    if limits is not None:
        ends = [number(value) for value in (np.log10(limits) if axis.is_logarithmic else limits)]
        made["range"] = ends[::-1] if is_reversed else ends
    elif is_reversed:
        made["autorange"] = "reversed"
    if ticks is not None:
        made |= {"tickvals": [number(at) for at, _ in ticks], "ticktext": [text(name) for _, name in ticks]}
        made |= {"ticks": "", "showgrid": False, "automargin": True}
    return made

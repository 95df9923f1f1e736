"""What plotly draws of each mark."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from aiida_crucible.report.charts.box_statistics import box_statistics, spread
from aiida_crucible.report.charts.chart import (
    AREA_OPACITY,
    MUTED,
    Bars,
    Boxes,
    Cells,
    Chart,
    Direction,
    Level,
    Mark,
    Series,
    Span,
)
from aiida_crucible.report.charts.plotly_words import Place, Plain, number, numbers, shade, text

SYMBOLS = {"dash": "line-ew-open"}


def drawn(mark: Mark, place: Place, chart: Chart) -> tuple[list[Plain], list[Plain]]:
    """Return the traces and the shapes of a mark."""
    axes = {"xaxis": f"x{place.suffix}", "yaxis": f"y{place.suffix}"}
    if isinstance(mark, Series):
        areas = [_area(mark)] if mark.has_area and mark.y_error is not None else []
        return [axes | each for each in [*areas, *(_series(part, chart) for part in _parts(mark))]], []
    if isinstance(mark, Bars):
        return [axes | _bars(mark)], []
    if isinstance(mark, Boxes):
        return [axes | each for each in _boxes(mark)], []
    if isinstance(mark, Cells):
        return [axes | _cells(mark)], []
    return [], [_span(mark, place) if isinstance(mark, Span) else _level(mark, place)]


def _parts(series: Series) -> list[Series]:
    """Return the points that have a shade, and as outlines those without: plotly knows no colour for them."""
    if series.shade is None or np.isfinite(series.shade).all():
        return [series]
    known = np.isfinite(series.shade)
    columns = ("x", "y", "x_error", "y_error", "shade")
    parts = []
    for chosen in (known, ~known):
        own = {name: value[chosen] for name in columns if (value := getattr(series, name)) is not None}
        known_labels = zip(series.labels or (), chosen, strict=False)
        labels = None if series.labels is None else [label for label, has in known_labels if has]
        parts.append(replace(series, **own, labels=labels))
    parts[1] = replace(parts[1], shade=None, colour=MUTED, hollow=np.ones(int((~known).sum()), dtype=bool))
    return [part for part in parts if len(part.x)]


def _series(series: Series, chart: Chart) -> Plain:
    colour = shade(series.colour)
    modes = [name for name, has in (("lines", series.line), ("markers", series.marker)) if has]
    made: Plain = {
        "type": "scatter",
        "name": text(series.name),
        "x": numbers(series.x),
        "y": numbers(series.y),
        "mode": "+".join(modes),
        "opacity": series.opacity,
    }
    if series.line is not None:
        made["line"] = {"color": colour, "width": series.width * 1.4, "dash": series.line}
    if series.marker is not None:
        made["marker"] = _marker(series, chart, colour)
    bars = (("error_x", series.x_error), ("error_y", None if series.has_area else series.y_error))
    for name, errors in bars:
        if errors is not None:
            made[name] = {
                "type": "data", "array": numbers(np.nan_to_num(errors)), "color": colour, "thickness": 1, "width": 3
            }  # fmt: skip
    if series.labels is not None:
        made["text"] = [text(label) for label in series.labels]
        made["hovertemplate"] = "%{text}<br>(%{x}, %{y})<extra></extra>"
    return made


def _area(series: Series) -> Plain:
    """Return the area of a line's errors: one outline for each stretch without a gap."""
    assert series.y_error is not None
    known = np.isfinite(series.y) & np.isfinite(series.y_error)
    x, y = [], []
    for stretch in np.split(np.arange(len(known)), np.flatnonzero(np.diff(known)) + 1):
        if len(stretch) and known[stretch[0]]:
            high, low = series.y[stretch] + series.y_error[stretch], series.y[stretch] - series.y_error[stretch]
            x.append(np.concatenate([series.x[stretch], series.x[stretch][::-1], [np.nan]]))
            y.append(np.concatenate([high, low[::-1], [np.nan]]))
    return {
        "type": "scatter",
        "mode": "none",
        "x": numbers(np.concatenate(x) if x else np.array([])),
        "y": numbers(np.concatenate(y) if y else np.array([])),
        "fill": "toself",
        "fillcolor": shade(series.colour),
        "opacity": AREA_OPACITY,
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _marker(series: Series, chart: Chart, colour: str) -> Plain:
    assert series.marker is not None
    made: Plain = {"symbol": SYMBOLS.get(series.marker, series.marker), "size": 1.55 * series.size}
    if series.shade is not None and chart.colour_scale is not None:
        return {**made, "color": numbers(series.shade), "coloraxis": "coloraxis"}
    made |= {"color": colour, "line": {"color": colour, "width": 1.4 if series.marker == "dash" else 1.0}}
    if series.hollow is not None and np.any(series.hollow):
        made["color"] = ["@paper" if is_hollow else colour for is_hollow in series.hollow]
        made["line"]["width"] = 1.6
    return made


def _bars(bars: Bars) -> Plain:
    colours = [shade(each) for each in bars.colours]
    return {
        "type": "bar",
        "orientation": "h",
        "name": text(bars.name),
        "x": numbers(bars.values - bars.base),
        "base": bars.base,
        "y": numbers(bars.places),
        "width": 0.7,
        "text": [text(each) for each in bars.texts],
        "textposition": "outside",
        "cliponaxis": False,
        "customdata": numbers(bars.values),
        "hovertext": [text(label) for label in bars.labels],
        "hovertemplate": "%{hovertext}: %{customdata}<extra></extra>",
        "marker": {
            "color": ["rgba(0,0,0,0)" if bars.is_outlined else each for each in colours],
            "line": {"color": colours, "width": 1.6},
        },
    }


def _boxes(boxes: Boxes) -> list[Plain]:
    colour = shade(boxes.colour)
    filled = [(place, np.asarray(own)) for place, own in zip(boxes.places, boxes.values, strict=True) if len(own)]
    statistics = [box_statistics(own) for _, own in filled]
    names = ("median", "q1", "q3", "lowerfence", "upperfence")
    box: Plain = {
        "type": "box", "name": text(boxes.name), "x": numbers(np.array([place for place, _ in filled])),
        "width": 0.8 * boxes.width, "line": {"color": colour, "width": 1.4},
        **{name: numbers(np.array(found)) for name, found in zip(names, zip(*statistics, strict=True), strict=False)},
    }  # fmt: skip
    points: Plain = {
        "type": "scatter", "mode": "markers", "name": text(boxes.name), "hoverinfo": "y+name",
        "x": numbers(np.concatenate([place + spread(len(own), boxes.width) for place, own in filled] or [np.empty(0)])),
        "y": numbers(np.concatenate([own for _, own in filled] or [np.empty(0)])),
        "marker": {"color": colour, "size": 5, "opacity": 0.8},
    }  # fmt: skip
    return [box, points]


def _cells(cells: Cells) -> Plain:
    return {
        "type": "heatmap", "z": [numbers(row) for row in cells.shares], "x": list(range(len(cells.columns))),
        "y": list(range(len(cells.rows))), "zmin": 0.0, "zmax": 1.15, "showscale": False, "xgap": 2, "ygap": 2,
        "colorscale": [[0.0, "#f7fbff"], [0.5, "#6baed6"], [1.0, "#08306b"]], "hoverinfo": "text",
        "text": [[text(each) for each in row] for row in cells.texts],
        "texttemplate": "%{text}",
    }  # fmt: skip


def _span(span: Span, place: Place) -> Plain:
    colour = shade(span.colour)
    across: Direction = "y" if span.along == "x" else "x"
    ends: Plain = {f"{span.along}ref": f"{span.along}{place.suffix}", f"{across}ref": f"{across}{place.suffix}"}
    ends |= {f"{span.along}0": number(span.low), f"{span.along}1": number(span.high)}
    low, high = (0, 1) if span.within is None else span.within
    if span.within is None:
        ends[f"{across}ref"] += " domain"
    ends |= {f"{across}0": low, f"{across}1": high}
    dashed = {"color": colour, "width": 1.2, "dash": "dot"}
    return {
        "type": "rect", "layer": "below", "name": text(span.name), "fillcolor": colour,
        "opacity": 0.10 if span.is_hatched else span.opacity, "line": dashed if span.is_hatched else {"width": 0},
        **ends,
    }  # fmt: skip


def _level(level: Level, place: Place) -> Plain:
    across: Direction = "y" if level.along == "x" else "x"
    line = {"color": shade(level.colour), "width": level.width * 1.4, "dash": level.line}
    return {
        "type": "line", "layer": "below", "name": text(level.name), "line": line,
        f"{level.along}ref": f"{level.along}{place.suffix}", f"{across}ref": f"{across}{place.suffix} domain",
        f"{level.along}0": number(level.value), f"{level.along}1": number(level.value), f"{across}0": 0,
        f"{across}1": 1,
    }  # fmt: skip

"""The numbers of a chart as comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from aiida_crucible.report.charts.chart import Bars, Boxes, Cells, Chart, Level, Mark, Panel, Series

HEADER = ("panel", "series", "label", "x", "x_error", "y", "y_error", "value", "hollow")


def to_csv(chart: Chart) -> str:
    """Return every number that a chart shows, unrounded, one point a line; empty where there is none.

    The column ``panel`` has the panel's title or the quantity of its vertical axis; ``value`` what a colour stands for.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEADER)
    for panel in chart.panels:
        for mark in panel.marks:
            writer.writerows([_name(panel), *map(_cell, line)] for line in _lines(mark, panel))
    return stream.getvalue()


def _name(panel: Panel) -> str:
    return panel.title or panel.y.title or panel.x.title


def _cell(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return repr(float(value)) if np.isfinite(value) else ""
    return "" if value is None else value


def _lines(mark: Mark, panel: Panel) -> Iterator[tuple[Any, ...]]:
    """Return series, label, x, its error, y, its error, value and whether it is hollow, of each point."""
    if isinstance(mark, Series):
        yield from _points(mark)
    elif isinstance(mark, Cells):
        yield from _matrix(mark)
    elif isinstance(mark, Bars):
        for label, value in zip(mark.labels, mark.values, strict=True):
            yield mark.name, label, value, None, None, None, None, int(mark.is_outlined)
    elif isinstance(mark, Boxes):
        for label, values in zip(mark.labels, mark.values, strict=True):
            yield from ((mark.name, label, None, None, value, None, None, None) for value in values)
    elif isinstance(mark, Level):
        yield mark.name, "line", *_along(mark.along, mark.value), None, None
    elif mark.name:
        for end, value in (("from", mark.low), ("to", mark.high)):
            yield mark.name, end, *_along(mark.along, value), None, None


def _points(series: Series) -> Iterator[tuple[Any, ...]]:
    columns = (series.labels, series.x, series.x_error, series.y, series.y_error, series.shade, series.hollow)
    for index in range(len(series.x)):
        label, *numbers, hollow = (None if column is None else column[index] for column in columns)
        yield series.name, label, *numbers, None if hollow is None else int(hollow)


def _matrix(cells: Cells) -> Iterator[tuple[Any, ...]]:
    for row, texts in enumerate(cells.texts):
        for column, text in enumerate(texts):
            share = cells.shares[row, column]
            yield cells.rows[row], cells.columns[column], None, None, None, None, share, text.replace("\n", " ")


def _along(direction: str, value: float | None) -> tuple[float | None, None, float | None, None]:
    return (value, None, None, None) if direction == "x" else (None, None, value, None)

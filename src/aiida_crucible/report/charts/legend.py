"""Title and legend of a chart on paper, above its panels and no wider than they are."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from aiida_crucible.report.charts.chart import Bars, Boxes, Cells, Chart, Level, Mark, Series, Span
from aiida_crucible.report.charts.matplotlib_words import LINES, MARKERS, colour_of, plain

MOST_COLUMNS = 4
"""Of a legend."""
LETTER = {8: 0.065, 9: 0.075}
"""Inches that a letter takes on average, by size of the font."""
HANDLE = 0.55
"""Inches that a legend's entry takes beside its name."""


def add_title_and_legend(figure: Figure, chart: Chart) -> None:
    """Add both to a figure; a long title has several lines, and long names stand in fewer columns."""
    width = float(figure.get_size_inches()[0])
    title = textwrap.fill(plain(chart.title), int(width / LETTER[9]))
    if handles := _legend(chart):
        longest = max(len(str(handle.get_label())) for handle in handles)
        columns = min(max(int(width / (HANDLE + LETTER[8] * longest)), 1), MOST_COLUMNS)
        figure.legend(
            handles=handles, loc="outside upper center", ncols=columns, frameon=False, fontsize=8, title=title,
            title_fontsize=9,
        )  # fmt: skip
    elif title:
        figure.suptitle(title, fontsize=9)


def _legend(chart: Chart) -> list[Line2D | Patch]:
    """Return one entry a name, in the order in which they are drawn."""
    handles: dict[str, Line2D | Patch] = {}
    for mark in (mark for panel in chart.panels for mark in panel.marks):
        name = "" if isinstance(mark, Cells) else mark.name
        if name and name not in handles and getattr(mark, "in_legend", True):
            handles[name] = _entry(mark)
    return list(handles.values())


def _entry(mark: Mark) -> Line2D | Patch:
    if isinstance(mark, Series):
        is_hollow = mark.hollow is not None and len(mark.hollow) > 0 and bool(np.all(mark.hollow))
        return Line2D(
            [], [], color=colour_of(mark.colour), label=plain(mark.name), markersize=5, linewidth=mark.width,
            marker="none" if mark.marker is None else MARKERS[mark.marker],
            markerfacecolor="white" if is_hollow else colour_of(mark.colour),
            linestyle="none" if mark.line is None else LINES[mark.line],
        )  # fmt: skip
    if isinstance(mark, Level):
        return Line2D([], [], color=colour_of(mark.colour), linestyle=LINES[mark.line], label=plain(mark.name))
    if isinstance(mark, Span):
        hatch, face = ("////", "none") if mark.is_hatched else (None, colour_of(mark.colour))
        return Patch(facecolor=face, edgecolor=colour_of(mark.colour), hatch=hatch, alpha=0.35, label=plain(mark.name))
    assert isinstance(mark, Bars | Boxes)
    colour = colour_of(mark.colours[0] if isinstance(mark, Bars) else mark.colour)
    is_outlined = isinstance(mark, Bars) and mark.is_outlined
    return Patch(facecolor="none" if is_outlined else colour, edgecolor=colour, label=plain(mark.name))

"""Figures as files: PNG, SVG and PDF, and their numbers as CSV, with the same bytes each time."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from aiida_crucible.report.charts.chart import Chart
from aiida_crucible.report.charts.data_table import to_csv
from aiida_crucible.report.charts.static import draw

KINDS = ("png", "svg", "pdf")


def save(chart: Chart, folder: Path, pictures: dict[str, bytes] | None = None) -> list[Path]:
    """Write a chart as PNG, SVG, PDF and CSV, with the same bytes each time.

    :param folder: where, which exists; the files have the chart's name.
    :param pictures: where to put the SVG as well, by the chart's name.
    :return: the files.
    """
    files = save_figure(draw(chart), folder / chart.name, pictures)
    table = folder / f"{chart.name}.csv"
    table.write_text(to_csv(chart), encoding="utf-8")
    return [*files, table]


def save_figure(figure: Figure, path: Path, pictures: dict[str, bytes] | None = None) -> list[Path]:
    """Write a figure as PNG, SVG and PDF, with the same bytes each time.

    :param path: without a suffix.
    :param pictures: where to put the SVG as well, by the path's name.
    :return: the files.
    """
    files = [path.with_name(f"{path.name}.{kind}") for kind in KINDS]
    for kind, file in zip(KINDS, files, strict=True):
        content = figure_bytes(figure, kind)
        file.write_bytes(content)
        if kind == "svg" and pictures is not None:
            pictures[path.name] = content
    return files


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """Return a figure as ``png``, ``svg`` or ``pdf``, with the same bytes each time."""
    stream = io.BytesIO()
    resolution = figure.dpi
    try:
        # Identifiers within an SVG are random without a salt; text remains text, so that it can be searched and read.
        with mpl.rc_context({"svg.hashsalt": "aiida-crucible", "svg.fonttype": "none", "pdf.fonttype": 3}):
            # Not by `savefig`, which draws all of it twice, once to lay it out.
            if kind == "png":
                FigureCanvasAgg(figure).print_png(stream, metadata={"Software": None})
            elif kind == "svg":
                FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None, "Creator": None})
            else:
                undated = {"CreationDate": None, "Creator": None, "Producer": None}
                FigureCanvasPdf(figure).print_pdf(stream, metadata=undated)
    finally:
        figure.dpi = resolution  # which formats without dots change
    return stream.getvalue()

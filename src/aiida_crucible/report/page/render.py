"""A page as one HTML file that needs nothing else: no network, and where scripts do not run, no script."""

from __future__ import annotations

import base64
import functools
import gzip
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from aiida_crucible.report.charts.chart import Chart
from aiida_crucible.report.charts.data_table import to_csv
from aiida_crucible.report.charts.files import figure_bytes
from aiida_crucible.report.charts.interactive import to_plotly
from aiida_crucible.report.charts.static import draw
from aiida_crucible.report.page.document import Block, Page

FOLDER = "page/assets"
LEVEL = 9
"""Of the compression."""
GENERATOR = b'<meta name="generator" content="aiida-crucible">'
LONGEST_HEAD = 1024
"""Bytes within which a page says what made it."""


def render(page: Page, pictures: Mapping[str, bytes] | None = None, plotly: str = "", home: str = "") -> str:
    """Return the page as HTML, the same text each time.

    :param pictures: the figures as SVG by their name, where they are drawn already.
    :param plotly: address of plotly.js where many pages share it; it stands in the page if left out.
    :param home: address of the page that leads here, where there is one.
    """
    environment = templates(PackageLoader("aiida_crucible.report", FOLDER))
    environment.filters |= {"kind": lambda block: type(block).__name__, "as_json": as_json, "csv": to_csv}
    environment.filters |= {"picture": lambda chart: _picture(chart, pictures or {}), "plot": to_plotly}
    environment.filters |= {"data_uri": _data_uri, "evidence": evidence_rows, "trusted_svg": Markup}
    template = environment.get_template("page.html")
    return template.render(
        page=page, style=Markup(asset("page.css")), script=Markup(asset("page.js")), plotly=plotly, home=home,
        packed=Markup("" if plotly else plotly_packed()),
        has_plots=any(_has_plot(block) for section in page.sections for block in section.blocks),
    )  # fmt: skip


def templates(loader: BaseLoader) -> Environment:
    """Return what fills templates: values are text and never markup, and a name that is not given is an error."""
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def is_page(path: Path) -> bool:
    """Return whether a file is a page that this package wrote."""
    with path.open("rb") as stream:
        return GENERATOR in stream.read(LONGEST_HEAD)


def as_json(value: Any) -> Markup:
    """Return JSON that cannot end the script element in which it stands."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@functools.lru_cache(maxsize=1)
def plotly_packed() -> str:
    """Return plotly.js, of the installed package of that name, compressed and as text of base 64."""
    source = resources.files("plotly").joinpath("package_data/plotly.min.js").read_bytes()
    return base64.b64encode(gzip.compress(source, LEVEL, mtime=0)).decode()


def evidence_rows(evidence: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested numbers as lines of name and value; what is empty is left out."""
    rows: list[tuple[str, str]] = []
    for name, value in evidence.items():
        full = f"{prefix}{name}"
        if isinstance(value, Mapping):
            rows += evidence_rows(value, f"{full} · ")
        elif isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value):
            for number, each in enumerate(value):
                rows += evidence_rows(each if isinstance(each, Mapping) else {"": each}, f"{full} {number + 1} · ")
        elif value not in (None, "", [], ()):
            rows.append((full.replace("_", " "), _told(value)))
    return rows


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(_told(each) for each in value)
    return str(value)


def _has_plot(block: Block) -> bool:
    return isinstance(block, Chart) or hasattr(block, "plot")


def _picture(chart: Chart, pictures: Mapping[str, bytes]) -> str:
    content = pictures.get(chart.name) or figure_bytes(draw(chart), "svg")
    return _data_uri(content.decode())


def _data_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def asset(name: str) -> str:
    """Return a file of this package that a page holds."""
    return resources.files("aiida_crucible.report").joinpath(FOLDER, name).read_text(encoding="utf-8")

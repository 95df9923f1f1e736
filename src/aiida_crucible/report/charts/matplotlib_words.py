"""Colours, markers, lines and text of a chart in matplotlib's words."""

from __future__ import annotations

from typing import Any

from aiida_crucible.report.charts.chart import INK, MUTED

TOKENS = {INK: "0.15", MUTED: "0.55"}
MARKERS = {
    "circle": "o", "square": "s", "diamond": "D", "triangle-up": "^", "triangle-down": "v", "triangle-left": "<",
    "triangle-right": ">", "cross": "P", "x": "X", "star": "*", "dash": "_",
}  # fmt: skip
LINES: dict[str, Any] = {"solid": "-", "dash": (0, (5, 2)), "dot": (0, (1, 1.2)), "dashdot": "-."}


def colour_of(colour: str) -> str:
    """Return a colour, which may be one of the names that depend on the background."""
    return TOKENS.get(colour, colour)


def plain(text: str) -> str:
    """Return text that matplotlib takes for text and not for mathematics."""
    return text.replace("$", r"\$")

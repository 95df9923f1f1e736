"""Words that plotly.js takes: text, numbers, colours, and places of panels."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import numpy as np

from aiida_crucible.report.charts.chart import INK, MUTED

Plain = dict[str, Any]

TOKENS = {INK: "@ink", MUTED: "@muted"}
"""Colours that depend on the reader's scheme: the page puts its own in their place."""
DIGITS = 7
"""Significant digits of what is drawn; the table beside it has all of them."""


@dataclass(frozen=True)
class Place:
    """Where a panel is: its number, row and column."""

    number: int
    row: int
    column: int

    @property
    def suffix(self) -> str:
        """What plotly appends to the names of its axes."""
        return "" if self.number == 0 else str(self.number + 1)


def shade(name: str) -> str:
    """Return a colour, or the word that stands for one of the page's."""
    return TOKENS.get(name, name)


def text(plain: str) -> str:
    """Return text that plotly takes for text and not for markup."""
    return html.escape(plain, quote=False).replace("\n", "<br>")


def number(value: float) -> float | None:
    """Return a number with as many digits as can be seen; ``None`` for none."""
    return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None


def numbers(values: Any) -> list[float | None]:
    """Return many of them."""
    return [number(value) for value in np.asarray(values, dtype=float).ravel()]

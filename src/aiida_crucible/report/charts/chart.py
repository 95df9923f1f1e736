"""What a figure shows, apart from how it is drawn.

All text is plain Unicode (``PbTiO₃``, ``σ``, ``ω²``): no markup of matplotlib or plotly is needed, and none is obeyed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette, told apart by colour-blind readers too."""
INK = "ink"
"""The colour of text, dark on light paper and light on a dark screen."""
MUTED = "muted"
"""A colour for what stands behind."""

Marker = Literal[
    "circle", "square", "diamond", "triangle-up", "triangle-down", "triangle-left", "triangle-right", "cross", "x",
    "star", "dash",
]  # fmt: skip
MARKERS: tuple[Marker, ...] = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross")
Line = Literal["solid", "dash", "dot", "dashdot"]
LINES: tuple[Line, ...] = ("solid", "dash", "dot", "dashdot")
Direction = Literal["x", "y"]


@dataclass(frozen=True)
class Axis:
    """An axis of a panel.

    :param title: quantity and unit, ``temperature (K)``.
    :param limits: ends; found from the data if left out.
    :param ticks: places with their labels; numbers if left out.
    :param is_logarithmic: whether its scale is.
    :param is_reversed: whether it runs from top to bottom.
    :param second: title of the same axis in another unit, and how many of that unit are one of this; on paper only.
    """

    title: str = ""
    limits: tuple[float, float] | None = None
    ticks: Sequence[tuple[float, str]] | None = None
    is_logarithmic: bool = False
    is_reversed: bool = False
    second: tuple[str, float] | None = None


AREA_OPACITY = 0.22
"""Of the area of errors along a line."""


@dataclass(frozen=True)
class Series:
    """Points, or a line through them; a place that is not a number is a gap.

    :param name: of the series; those of one name share an entry of the legend.
    :param x: [n].
    :param y: [n].
    :param x_error: standard errors, [n].
    :param y_error: standard errors, [n].
    :param colour: hexadecimal, :data:`INK` or :data:`MUTED`.
    :param marker: of the points; without one there is the line only.
    :param line: its style; without one there are the points only.
    :param hollow: which points are drawn as an outline, [n].
    :param shade: numbers that the chart's :class:`ColourScale` turns into colours, [n]; not a number is grey.
    :param labels: what each point is, for a reader who points at it, [n].
    :param size: of the markers, points.
    :param width: of the line, points.
    :param opacity: 0 to 1.
    :param in_legend: whether it has an entry.
    :param has_area: whether the errors of y are a shaded area along the line, and not bars.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    x_error: NDArray[np.float64] | None = None
    y_error: NDArray[np.float64] | None = None
    colour: str = INK
    marker: Marker | None = "circle"
    line: Line | None = None
    hollow: NDArray[np.bool_] | None = None
    shade: NDArray[np.float64] | None = None
    labels: Sequence[str] | None = None
    size: float = 5.0
    width: float = 1.2
    opacity: float = 1.0
    in_legend: bool = True
    has_area: bool = False


@dataclass(frozen=True)
class Bars:
    """Bars from a base to a value, one a category.

    :param name: of the bars.
    :param places: where on the axis of the categories, [n].
    :param values: [n].
    :param colours: one a bar.
    :param labels: of the bars, [n]; beside the values in the table.
    :param texts: written at the end of each bar, [n].
    :param base: where they begin.
    :param is_outlined: whether they are drawn as an outline (what was published, not computed).
    """

    name: str
    places: NDArray[np.float64]
    values: NDArray[np.float64]
    colours: Sequence[str]
    labels: Sequence[str]
    texts: Sequence[str] = ()
    base: float = 0.0
    is_outlined: bool = False
    in_legend: bool = True


@dataclass(frozen=True)
class Boxes:
    """Box plots with each value as a point: median, quartiles, whiskers to the last value within 1.5 box lengths.

    :param name: of the boxes.
    :param places: where, [n].
    :param values: of each box.
    :param colour: hexadecimal.
    :param labels: of the boxes, [n].
    :param width: in units of the axis.
    """

    name: str
    places: NDArray[np.float64]
    values: Sequence[NDArray[np.float64]]
    colour: str
    labels: Sequence[str]
    width: float


@dataclass(frozen=True)
class Cells:
    """A matrix of shares, with a text in each cell.

    :param rows: their names, from top to bottom.
    :param columns: their names, from left to right.
    :param shares: 0 (white) to 1, not a number where there is none, [n_rows, n_columns].
    :param texts: [n_rows][n_columns].
    """

    rows: Sequence[str]
    columns: Sequence[str]
    shares: NDArray[np.float64]
    texts: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Span:
    """A stretch of an axis, shaded over the whole panel.

    :param name: what it is.
    :param along: the axis.
    :param low: one end.
    :param high: the other end.
    :param colour: hexadecimal, :data:`INK` or :data:`MUTED`.
    :param is_hatched: drawn as an outline with hatching rather than filled.
    :param opacity: 0 to 1.
    :param within: the stretch of the other axis; all of it if left out.
    """

    name: str
    along: Direction
    low: float
    high: float
    colour: str = MUTED
    is_hatched: bool = False
    opacity: float = 0.14
    within: tuple[float, float] | None = None
    in_legend: bool = False


@dataclass(frozen=True)
class Level:
    """A line across the panel at one value, such as that of an experiment.

    :param name: what it is.
    :param along: the axis on which the value is.
    :param value: where.
    """

    name: str
    along: Direction
    value: float
    colour: str = INK
    line: Line = "dash"
    width: float = 0.9
    in_legend: bool = True


Mark: TypeAlias = Series | Bars | Boxes | Cells | Span | Level


@dataclass(frozen=True)
class ColourScale:
    """How numbers become colours in all panels of a chart.

    :param title: quantity and unit.
    """

    title: str
    low: float
    high: float


@dataclass(frozen=True)
class Panel:
    """One pair of axes with what is drawn in it, from the back to the front.

    :param x: horizontal axis.
    :param y: vertical axis.
    :param title: above it.
    :param height: relative to the other panels in its column.
    :param width: relative to the other panels in its row.
    :param is_square: one unit is as long on both axes.
    """

    x: Axis
    y: Axis
    marks: Sequence[Mark]
    title: str = ""
    height: float = 1.0
    width: float = 1.0
    is_square: bool = False


@dataclass(frozen=True)
class Chart:
    """A figure.

    :param name: of its files, lower case with hyphens.
    :param title: what is shown of what: material, size, model, length of the runs.
    :param caption: how to read it, for everybody who sees it and for those who hear it read.
    :param panels: at least one, row after row.
    :param columns: panels beside each other.
    :param shares_x: whether the panels of a column have one horizontal axis.
    :param shares_y: whether the panels of a row have one vertical axis.
    :param colour_scale: of the series that have a ``shade``.
    :param size: width and height of a panel of relative size 1, inches.
    """

    name: str
    title: str
    caption: str
    panels: Sequence[Panel]
    columns: int = 1
    shares_x: bool = False
    shares_y: bool = False
    colour_scale: ColourScale | None = None
    size: tuple[float, float] = (5.6, 2.4)

    def __post_init__(self) -> None:
        if not self.panels:
            raise ValueError(f"figure {self.name!r} has nothing to draw")

    @property
    def n_rows(self) -> int:
        """Rows of panels."""
        return -(-len(self.panels) // self.columns)

    def row(self, number: int) -> Sequence[Panel]:
        """Return the panels of one row."""
        return self.panels[number * self.columns : (number + 1) * self.columns]

    def heights(self) -> list[float]:
        """Return the relative height of each row."""
        return [max(panel.height for panel in self.row(number)) for number in range(self.n_rows)]

    def widths(self) -> list[float]:
        """Return the relative width of each column."""
        return [max(panel.width for panel in self.panels[number :: self.columns]) for number in range(self.columns)]


def by_number(choices: Sequence[T], number: int) -> T:
    """Return a colour, marker or line, from the first again after the last."""
    return choices[number % len(choices)]


SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def pretty_formula(formula: str) -> str:
    """Return a chemical formula with its counts below the line: ``PbTiO₃``."""
    return formula.translate(SUBSCRIPTS)

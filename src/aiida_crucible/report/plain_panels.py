"""What figures of many points share: panels in lines, points that stay apart, colours in turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "D", "^", "v", "P")
MOST_BESIDE = 4
"""Panels in a line."""

T = TypeVar("T")


def wrapped(
    figure: Figure,
    n_panels: int,
    width: float,
    height: float,
    *,
    sharex: bool = True,
    sharey: bool = True,
    extra_width: float = 0.0,
    most_beside: int = MOST_BESIDE,
) -> list[Axes]:
    """Return panels, line after line, and make the figure as large as they need.

    :param figure: an empty one.
    :param n_panels: at least one.
    :param width: of a panel, inches.
    :param height: of a panel, inches.
    :param sharex: whether they have the same horizontal axis.
    :param sharey: whether they have the same vertical axis.
    :param extra_width: for what stands beside the panels, inches.
    :param most_beside: panels in a line at most.
    """
    n_columns = min(n_panels, most_beside)
    n_lines = -(-n_panels // n_columns)
    figure.set_size_inches(width * n_columns + extra_width, height * n_lines)
    grid = figure.subplots(n_lines, n_columns, sharex=sharex, sharey=sharey, squeeze=False)
    panels = list(grid.flat)
    for axes in panels[n_panels:]:
        axes.remove()
    for axes in panels[:n_panels]:
        axes.tick_params(labelbottom=True)
    return panels[:n_panels]


def point_style(n_points: int) -> dict[str, Any]:
    """Return size and opacity of so many points: few are large, many are faint."""
    if n_points <= 30:
        return {"s": 34, "alpha": 0.95, "linewidths": 0}
    return {"s": 14, "alpha": 0.8, "linewidths": 0} if n_points <= 300 else {"s": 6, "alpha": 0.5, "linewidths": 0}


def by_number(choices: Sequence[T], number: int) -> T:
    """Return a colour or marker, from the first again after the last."""
    return choices[number % len(choices)]

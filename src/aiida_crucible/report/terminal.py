"""Tables and colours of a terminal, by rich; what goes into a pipe or a file stays plain text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

MISSING = "-"
BAR = 10
"""Characters of a bar that shows a share."""

STYLES = {
    "finished": "green",
    "as expected": "green",
    "good": "green",
    "passed": "green",
    "running": "bold cyan",
    "queued": "yellow",
    "paused": "bold yellow",
    "warning": "yellow",
    "open": "yellow",
    "to come": "dim",
    "WRONG": "bold red",
    "bad": "bold red",
    "failed": "bold red",
    "excepted": "bold red",
    "killed": "red",
}
"""Of a cell that holds this word and nothing else; an exit code is red."""


def rich_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Return a table for a terminal: states in colour, and a share (column ``%``) with a bar.

    :param rows: what is ``None`` or empty is shown as a dash.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False)
    for name in header:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        cells = [_with_bar(cell) if name == "%" else shown(cell) for name, cell in zip(header, row, strict=True)]
        table.add_row(*(Text(cell, style=_style(cell)) for cell in cells))
    return table


def shown(cell: object) -> str:
    """Return a cell as text."""
    return MISSING if cell in (None, "") else str(cell)


def _style(cell: str) -> str:
    return "red" if cell.startswith("exit ") else STYLES.get(cell, "")


def _with_bar(cell: object) -> str:
    if cell in (None, ""):
        return MISSING
    filled = round(float(str(cell)) / 100 * BAR)
    return f"{'━' * filled}{'╌' * (BAR - filled)} {cell}"


def view(told: str, header: Sequence[str], rows: Sequence[Sequence[object]], notes: Sequence[str]) -> Group:
    """Return how far a process is, see :class:`aiida_crucible.monitoring.overview.Overview`."""
    from rich.console import Group
    from rich.text import Text

    return Group(
        *([Text(told, style="bold")] if told else []),
        *([rich_table(header, rows)] if rows else []),
        *(Text(line, style="dim" if line.startswith("together") else "yellow") for line in notes),
    )

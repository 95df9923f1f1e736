"""Tables for the terminal, in colour where there is one, and plain in a pipe or a file."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from aiida_crucible.report.terminal import rich_table, shown


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write aligned columns; what is ``None`` or empty is shown as a dash."""
    if sys.stdout.isatty():
        from rich.console import Console

        Console(highlight=False).print(rich_table(header, rows))
        return
    import tabulate

    cells = [[shown(cell) for cell in row] for row in rows]
    click.echo(tabulate.tabulate(cells, header, tablefmt="simple", disable_numparse=True))


def print_part(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table below an empty line, where it has rows."""
    if rows:
        click.echo()
        print_table(header, rows)


def print_record(pairs: Sequence[tuple[str, object]]) -> None:
    """Write one ``name  value`` a line, long values folded; what is ``None`` or empty is left out."""
    import textwrap

    width = max(len(name) for name, _ in pairs) + 2
    for name, value in pairs:
        if value not in (None, ""):
            indent = " " * width
            click.echo(textwrap.fill(f"{name:{width}}{value}", 100, subsequent_indent=indent, break_long_words=False))

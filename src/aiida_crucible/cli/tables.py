"""Plain tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

import click

MISSING = "-"


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write aligned columns; what is ``None`` or empty is shown as a dash."""
    import tabulate

    shown = [[MISSING if cell in (None, "") else str(cell) for cell in row] for row in rows]
    click.echo(tabulate.tabulate(shown, header, tablefmt="simple", disable_numparse=True))


def print_record(pairs: Sequence[tuple[str, object]]) -> None:
    """Write one ``name  value`` a line, long values folded; what is ``None`` or empty is left out."""
    import textwrap

    width = max(len(name) for name, _ in pairs) + 2
    for name, value in pairs:
        if value not in (None, ""):
            indent = " " * width
            click.echo(textwrap.fill(f"{name:{width}}{value}", 100, subsequent_indent=indent, break_long_words=False))

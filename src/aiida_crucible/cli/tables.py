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

"""``aiida-crucible site``: pages of many archives, models beside materials."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_crucible.cli.shared.options import say

EXAMPLES = """\b
Examples:
  aiida-crucible site pbtio3.aiida batio3.zip --output site
  aiida-crucible site exports/*.zip --output site --title "Halide perovskites"
"""


@click.command(short_help="Make a site of many archives.", epilog=EXAMPLES)
@click.argument("archives", metavar="ARCHIVE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR", help="Where to."
)
@click.option("--title", default="Can it be trusted at temperature?", show_default=True, help="Of the first page.")
def site(archives: tuple[Path, ...], output: Path, title: str) -> None:
    """Make static pages of exports and AiiDA archives: models beside materials, each cell a report.

    Nothing is imported into your profile. The same archives always give the same pages, so that a site can be kept in
    a repository and served from any place that serves files.
    """
    from aiida_crucible.site.build import build_site
    from aiida_crucible.site.reports import processes_at_once

    entries = build_site(archives, output, title, lambda line: say(f"read {line}"), processes_at_once())
    click.echo(f"{output / 'index.html'}: {len(entries)} reports")

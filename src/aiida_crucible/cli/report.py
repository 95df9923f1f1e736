"""``aiida-crucible report``: what was found, as one page to show."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_crucible.cli.shared.options import with_profile

EXAMPLES = """\b
Examples:
  aiida-crucible report 1234
  aiida-crucible report 1234 1250 --output models.html
"""


@click.command(short_help="Write a page of what was found.", epilog=EXAMPLES)
@click.argument("processes", metavar="PK…", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.html",
    help="Where to; report-PK.html if left out.",
)
@with_profile
def report(processes: tuple[str, ...], output: Path | None) -> None:
    """Write one page of what processes found, by their PKs or UUIDs: several stand beside each other.

    The page is one HTML file that needs neither network nor AiiDA: headline, questions with their evidence, figures,
    structures, methods with BibTeX, provenance, and how to reproduce it. Its figures lie in a folder beside it, as PNG,
    SVG, PDF and CSV. For what `run` and `launch` start: reliability, sweep, phonon, anharmonicity, map, benchmark,
    verify.
    """
    from aiida_crucible.cli.status import find_process
    from aiida_crucible.report.write import write_report

    nodes = [find_process(each) for each in processes]
    path = Path("report-" + "-".join(str(node.pk) for node in nodes[:4]) + ".html") if output is None else output
    files = write_report(list({node.pk: node for node in nodes}.values()), path)
    click.echo(f"{path} ({path.stat().st_size / 1e6:.2g} MB)")
    if len(files) > 1:
        click.echo(f"{files[1].parent}: {len(files) - 1} files of its figures")

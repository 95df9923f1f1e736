"""``aiida-crucible check``: whether somebody else's export is as it was written, and follows from its inputs."""

from __future__ import annotations

import warnings
from pathlib import Path

import click

from aiida_crucible.cli.shared.options import say
from aiida_crucible.cli.shared.tables import print_table

MOST_LINES = 50
"""Differences of one kind that are told one by one."""

EXAMPLES = """\b
Examples:
  aiida-crucible check pbtio3-chgnet.zip
  aiida-crucible check somebodys.aiida
"""


@click.command(short_help="Check an export or archive of somebody else.", epilog=EXAMPLES)
@click.argument("archive", metavar="ARCHIVE", type=click.Path(path_type=Path))
def check(archive: Path) -> None:
    """Check an export: its folder, the zip file of that, or an AiiDA archive (.aiida) alone.

    Checksums, weights and digests are verified, outputs of jobs are parsed again, analyses and verdicts are computed
    again from their inputs, and the report and its figures are made anew and compared. Nothing is imported into your
    profile, and no code that the archive brings is run. It exits with 1 if anything differs.
    """
    with warnings.catch_warnings():
        # AiiDA warns of the folder that it makes, which is not what the user asked about.
        warnings.simplefilter("ignore", UserWarning)
        from aiida_crucible.publishing.checks.comparison import TINY, TOLERANCE
        from aiida_crucible.publishing.checks.run import check_export

    outcomes = check_export(archive, lambda line: say(f"checking {line}"))
    print_table(("check", "right", "differ", "not checked", "why"), [outcome.row for outcome in outcomes])
    click.echo(
        f"Numbers are right where they differ by less than {TOLERANCE:g} of the largest of their array, or {TINY:g}."
    )
    differences = [line for outcome in outcomes for line in outcome.differences[:MOST_LINES]]
    for line in differences:
        click.echo(f"differs: {line}")
    total = sum(len(outcome.differences) for outcome in outcomes)
    if total > len(differences):
        click.echo(f"and {total - len(differences)} more differences")
    if total:
        raise click.exceptions.Exit(1)
    click.echo("nothing differs")

"""``aiida-crucible doctor``: what is wrong with a set-up, and how to mend it."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from aiida_crucible.cli.shared.options import load_profile
from aiida_crucible.cli.shared.tables import print_table

MARKS = {"good": "ok", "warning": "!", "bad": "WRONG"}


@click.command(short_help="Say what is wrong with the set-up, and how to mend it.")
@click.option("--json", "as_json", is_flag=True, help="Write the findings as JSON.")
@click.option("-p", "--profile", metavar="NAME", help="AiiDA profile; the default one if left out.")
def doctor(as_json: bool, profile: str | None) -> None:
    """Look at the profile, the daemon, computers, environments and disks, and say what is wrong and how to mend it.

    Nothing is changed. Exits with 1 if something is wrong.
    """
    try:
        load_profile(profile)
    except click.ClickException as problem:
        if profile is not None:
            raise
        raise click.ClickException(f"{problem.message}; `aiida-crucible setup` does all of it") from None
    from aiida_crucible.monitoring.health import BAD, examine

    findings = list(examine())
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        rows = [(MARKS[each.state], each.part, each.text, each.cure) for each in findings]
        print_table(("", "part", "found", "what to do"), rows)
    wrong = [each.part for each in findings if each.state == BAD]
    if wrong:
        raise click.ClickException(f"something is wrong with: {', '.join(wrong)}")

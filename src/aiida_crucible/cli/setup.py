"""``aiida-crucible setup``: from nothing to a profile, an environment and its Code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from aiida_crucible.cli.shared.options import FAMILY, load_profile, say, yes_option

CACHED = "aiida.calculations:crucible.*"
POLLING = 1.0
"""Seconds."""


@click.command(short_help="Make what a run needs: an AiiDA profile, environments, their Codes.")
@click.option("-m", "--model", "families", type=FAMILY, multiple=True, default=("chgnet",), show_default=True)
@click.option("-p", "--profile", metavar="NAME", help="AiiDA profile; the default one if left out.")
@yes_option
def setup(families: tuple[str, ...], profile: str | None, yes: bool) -> None:
    """Make what a run on this machine needs, and say what is made: a profile if there is none, environments, Codes.

    A profile that exists is used as it is; what would be changed in it is asked first.
    """
    try:
        load_profile(profile)
    except click.ClickException:
        if profile is not None:
            raise
        _agree("there is no AiiDA profile: make one with `verdi presto` (SQLite, no database server)", yes)
        _presto()
        load_profile(None)
    from aiida.manage import get_manager
    from aiida.manage.configuration import get_config

    name = get_manager().get_profile_storage().profile.name
    say(f"profile {name}")
    from aiida.orm import load_computer

    from aiida_crucible.environments.manage import Request, create_environment

    computer = load_computer("localhost")
    polling = f"let AiiDA look every {POLLING:g} s whether a job on localhost has ended"
    if computer.get_minimum_job_poll_interval() > POLLING and _ask(polling, yes):
        computer.set_minimum_job_poll_interval(POLLING)
    config = get_config()
    enabled = list(config.get_option("caching.enabled_for", scope=name) or [])
    is_cached = CACHED in enabled or config.get_option("caching.default_enabled", scope=name)
    caching = "let AiiDA find what this plugin has computed before, instead of computing it anew (caching)"
    if not is_cached and _ask(caching, yes):
        config.set_option("caching.enabled_for", [*enabled, CACHED], scope=name)
        config.store()
    for family in families:
        code = create_environment(Request(family), computer, report=say)
        say(f"{code.full_label}: {code.description}")
    click.echo(f"ready: `aiida-crucible run FILE -m {families[0]}`")


def _presto() -> None:
    done = subprocess.run([str(Path(sys.executable).with_name("verdi")), "presto"], check=False)
    if done.returncode:
        raise click.ClickException("`verdi presto` failed: see above")


def _ask(line: str, yes: bool) -> bool:
    """Ask where there is somebody; where not, do it only if that was agreed to beforehand."""
    if yes or not sys.stdin.isatty():
        say(f"{line}: {'yes' if yes else 'no, as nobody is here to agree (--yes)'}")
        return yes
    return click.confirm(f"{line}?", default=True, err=True)


def _agree(line: str, yes: bool) -> None:
    if not _ask(line, yes):
        raise click.ClickException("nothing was made: say --yes, or make a profile yourself (`verdi profile setup`)")

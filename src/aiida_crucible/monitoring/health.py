"""Whether a set-up can work: profile, daemon, computers, environments, space; and how to mend what cannot."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from aiida.manage import get_manager
from aiida.manage.configuration import get_config_option
from aiida.orm import Computer, QueryBuilder

from aiida_crucible.compat.aiida_engine import DaemonException, DaemonNotRunningException
from aiida_crucible.environments.codes import is_this_machine, registered_environments
from crucible_engine.wire.rules import first_line

GOOD, WARNING, BAD = "good", "warning", "bad"

LITTLE_SPACE = 5e9
"""Bytes."""

SLOW_POLLING = 60.0
"""Seconds between two looks at a computer; a job of the demonstration takes less."""


@dataclass(frozen=True)
class Finding:
    """What was found of one part of a set-up.

    :param part: e.g. ``daemon``.
    :param state: good, warning or bad.
    :param text: one line.
    :param cure: a command, or what to do; empty where all is well.
    """

    part: str
    state: str
    text: str
    cure: str = ""


def examine() -> Iterator[Finding]:
    """Yield what is found of the profile that is loaded; what cannot be examined is a finding as well."""
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "profile": _profile,
        "daemon": _daemon,
        "computers": _computers,
        "environments": _environments,
        "caching": _caching,
    }
    for part, check in checks.items():
        try:
            yield from check()
        except Exception as error:  # whatever it is, it is what is wrong
            yield Finding(part, BAD, f"cannot be examined: {first_line(error)}", "`verdi status` may tell more")


def _profile() -> Iterator[Finding]:
    profile = get_manager().get_profile_storage().profile
    yield Finding("profile", GOOD, f"{profile.name}, {profile.storage_backend}")
    folder = Path(profile.repository_path) if profile.storage_backend == "core.psql_dos" else Path.home()
    yield _space("disk of the profile", folder)


def _daemon() -> Iterator[Finding]:
    if shutil.which("verdi") is None:
        activate = Path(sys.executable).with_name("activate")
        text = "it is not on the PATH, so that AiiDA cannot start its daemon"
        yield Finding("verdi", WARNING, text, f"`source {activate}`")
    if get_manager().get_broker() is None:
        text = "this profile has no broker: runs are possible in the foreground only"
        yield Finding("daemon", WARNING, text, "`verdi presto` makes a profile with one; `--submit` needs it")
        return
    try:
        status = get_manager().get_daemon_client().get_status()
    except DaemonNotRunningException:
        yield Finding("daemon", WARNING, "it is stopped: what is submitted waits", "`verdi daemon start`")
    except DaemonException as error:
        yield Finding("daemon", BAD, first_line(error), "`verdi daemon restart`")
    else:
        yield Finding("daemon", GOOD, f"runs with PID {status['pid']}")


def _computers() -> Iterator[Finding]:
    computers = QueryBuilder().append(Computer).all(flat=True)
    usable = [computer for computer in computers if computer.is_configured]
    if not usable:
        yield Finding("computers", BAD, "none is configured", "`verdi computer setup` and `verdi computer configure`")
    for computer in usable:
        wait = computer.get_minimum_job_poll_interval()
        if is_this_machine(computer) and wait >= SLOW_POLLING:
            text = f"AiiDA looks only every {wait:g} s whether a job has ended"
            cure = (
                f"`aiida-crucible setup` lowers it, or `computer.set_minimum_job_poll_interval(1)` for {computer.label}"
            )
            yield Finding(f"computer {computer.label}", WARNING, text, cure)
        else:
            text = f"{computer.transport_type}, {computer.scheduler_type}"
            yield Finding(f"computer {computer.label}", GOOD, text)
        if is_this_machine(computer):
            yield _space(f"disk of {computer.label}", Path(computer.get_workdir().format(username=Path.home().name)))


def _environments() -> Iterator[Finding]:
    found = [each for each in registered_environments() if each.state != "unreachable"]
    if not found:
        yield Finding("environments", BAD, "there is none", "`aiida-crucible env create chgnet`")
    for each in found:
        family = each.content["family"]
        name = f"environment {each.code.full_label}"
        where = f" --computer {each.code.computer.label}"
        if each.state == "ready":
            yield Finding(name, GOOD, str(each.code.description))
        else:
            yield Finding(name, WARNING, f"it is {each.state}", f"`aiida-crucible env create {family}{where}`")


def _caching() -> Iterator[Finding]:
    is_on = get_config_option("caching.default_enabled") or get_config_option("caching.enabled_for")
    text = "what was computed is found again" if is_on else "off: the same run is computed anew each time"
    cure = "" if is_on else "`verdi config set caching.enabled_for 'aiida.calculations:crucible.*'`"
    yield Finding("caching", GOOD if is_on else WARNING, text, cure)


def _space(part: str, folder: Path) -> Finding:
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free
    text = f"{free / 1e9:.0f} GB free in {existing}"
    return Finding(part, GOOD if free > LITTLE_SPACE else WARNING, text, "" if free > LITTLE_SPACE else "make space")

"""Options and arguments that several commands share."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import click


class KnownName(click.ParamType):
    """A name that somebody else knows; what is wrong with it is said where it is typed.

    :param name: of what it names.
    :param check: returns the name; raises ``ValueError`` with one line.
    :param known: returns the names that a shell may complete.
    """

    def __init__(self, name: str, check: Callable[[str], str], known: Callable[[], list[str]] = list) -> None:
        self.name, self._check, self._known = name, check, known

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name."""
        try:
            return self._check(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """Return the names that begin like this."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(name) for name in self._known() if name.startswith(incomplete)]


def _family(value: str) -> str:
    from crucible_engine.families.registry import find_family

    return find_family(value).name


def _families() -> list[str]:
    from crucible_engine.families.registry import FAMILIES

    return list(FAMILIES)


def _environment(value: str) -> str:
    from crucible_engine.tasks.registry import find_environment

    return find_environment(value).name


def _environments() -> list[str]:
    from crucible_engine.tasks.registry import ENVIRONMENTS

    return list(ENVIRONMENTS)


def _device(value: str) -> str:
    from crucible_engine.wire.devices import require_device

    require_device(value)
    return value


FAMILY = KnownName("family", _family, _families)
ENVIRONMENT = KnownName("family", _environment, _environments)
"""A model family, or the tools that a task without a model computes with."""
DEVICE = KnownName("device", _device)


class Assignment(click.ParamType):
    """``key=value``, with the value in YAML's words (``true``, ``0.5``, ``mpa``)."""

    name = "key=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str | int | float | bool]:
        """Return key and value."""
        from aiida_crucible.references.plain_yaml import parse_yaml

        if isinstance(value, tuple):
            return value
        key, separator, text = str(value).partition("=")
        if not separator or not key:
            self.fail(f"{value!r} is no setting: write key=value, e.g. modal=mpa", param, ctx)
        try:
            return key, parse_yaml(text.encode())
        except ValueError as error:
            self.fail(f"{value!r} is no setting: {error}", param, ctx)


class JobOptions(click.ParamType):
    """Options of a job for its scheduler, as YAML (or JSON) text, or the path of such a file."""

    name = "yaml"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Return the options."""
        import os
        from pathlib import Path

        from aiida_crucible.references.plain_yaml import parse_yaml, read_yaml
        from crucible_engine.wire.rules import first_line

        if isinstance(value, dict):
            return value
        try:
            is_file = os.path.isfile(value)  # noqa: PTH113
            content = read_yaml(Path(value)) if is_file else parse_yaml(str(value).encode())
        except (OSError, ValueError) as error:
            self.fail(f"{value!r} is no YAML: {first_line(error)}", param, ctx)
        if not isinstance(content, dict):
            self.fail(f"{value!r} is no mapping: give e.g. '{{queue_name: gpu}}'", param, ctx)
        return content


job_options = click.option(
    "--options",
    type=JobOptions(),
    default=dict,
    help="The job's options as YAML or a YAML file, e.g. '{queue_name: gpu, account: me}'.",
)

yes_option = click.option("-y", "--yes", is_flag=True, help="Agree to everything that would be asked.")


def with_profile(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option ``--profile`` and load that profile before it runs."""

    @click.option("-p", "--profile", metavar="NAME", help="AiiDA profile; the default one if left out.")
    @functools.wraps(function)
    def run(*args: Any, profile: str | None, **kwargs: Any) -> Any:
        load_profile(profile)
        return function(*args, **kwargs)

    return run


def load_profile(name: str | None) -> None:
    """Load an AiiDA profile.

    :param name: its name; ``None`` for the default one.
    :raises click.ClickException: if there is none, or none of that name.
    """
    with warnings.catch_warnings():
        # AiiDA warns of the folder that it makes, which is not what the user asked about.
        warnings.simplefilter("ignore", UserWarning)
        from aiida.common.exceptions import ConfigurationError
        from aiida.manage import get_manager
        from aiida.manage.configuration import get_config

    from crucible_engine.wire.rules import suggestion

    manager = get_manager()
    if name is None and manager.get_profile() is not None:
        return
    try:
        known = get_config(create=False).profile_names
    except ConfigurationError:
        known = []
    if not known:
        raise click.ClickException("there is no AiiDA profile yet: `verdi presto` makes one, without any service")
    if name is not None and name not in known:
        raise click.ClickException(f"there is no AiiDA profile {name!r}: {suggestion(name, known)}")
    manager.load_profile(name, allow_switch=True)


def say(line: str) -> None:
    """Write a line of progress where it does not mix with what a command answers."""
    click.echo(line, err=True)

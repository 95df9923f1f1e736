"""Options and arguments that several commands share."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import click

from aiida_crucible.cli.root import imported


class KnownName(click.ParamType):
    """A name that the engine knows; what is wrong with it is said where it is typed.

    :param name: of what it names.
    :param check: ``module:function`` that raises ``ValueError`` with one line, imported when it is needed.
    :param known: ``module:attribute`` with the names that a shell may complete.
    """

    def __init__(self, name: str, check: str, known: str | None = None) -> None:
        self.name, self._check, self._known = name, check, known

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name."""
        try:
            imported(self._check)(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """Return the names that begin like this."""
        from click.shell_completion import CompletionItem

        known = imported(self._known) if self._known else ()
        return [CompletionItem(name) for name in known if name.startswith(incomplete)]


FAMILIES, TASKS = "crucible_engine.families.registry", "crucible_engine.tasks.registry"
FAMILY = KnownName("family", f"{FAMILIES}:find_family", f"{FAMILIES}:FAMILIES")
ENVIRONMENT = KnownName("family", f"{TASKS}:find_environment", f"{TASKS}:ENVIRONMENTS")
"""A model family, or the tools that a task without a model computes with."""
DEVICE = KnownName("device", "crucible_engine.wire.devices:require_device")


class Number(click.ParamType):
    """A number from a smallest one on; a whole one may be written as ``1e5``.

    :param kind: ``int`` or ``float``.
    :param smallest: itself allowed.
    :param example: of what may be given.
    """

    def __init__(self, kind: type, smallest: float, example: str) -> None:
        self.name, self._kind, self._smallest, self._example = kind.__name__, kind, smallest, example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | float:
        """Return the number."""
        whole = "whole " if self._kind is int else ""
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number) or (whole and not number.is_integer()):
            self.fail(f"{value!r} is no {whole}number: give e.g. {self._example}, without a unit", param, ctx)
        if number < self._smallest:
            self.fail(f"{value} is too small: give at least {self._smallest:g}, e.g. {self._example}", param, ctx)
        return int(number) if whole else number


class Assignment(click.ParamType):
    """``key=value``, with the value in YAML's words (``true``, ``0.5``, ``mpa``).

    :param example: that a message shows.
    """

    name = "key=value"

    def __init__(self, example: str = "modal=mpa") -> None:
        self._example = example

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str | int | float | bool]:
        """Return key and value."""
        from aiida_crucible.references.plain_yaml import parse_yaml

        if isinstance(value, tuple):
            return value
        key, separator, text = str(value).partition("=")
        if not separator or not key:
            self.fail(f"{value!r} is no setting: write key=value, e.g. {self._example}", param, ctx)
        try:
            return key, parse_yaml(text.encode())
        except ValueError as error:
            self.fail(f"{value!r} is no setting: {error}", param, ctx)


class JobOptions(click.ParamType):
    """Options of a job for its scheduler, as YAML (or JSON) text, or the path of such a file.

    :param example: that a message shows.
    """

    name = "yaml"

    def __init__(self, example: str = "{queue_name: gpu}") -> None:
        self._example = example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Return the options."""
        import os
        from pathlib import Path

        from aiida_crucible.nodes.file_digest import missing_file
        from aiida_crucible.references.plain_yaml import parse_yaml, read_yaml
        from crucible_engine.wire.rules import first_line

        if isinstance(value, dict):
            return value
        try:
            is_file = os.path.isfile(value)  # noqa: PTH113
            content = read_yaml(Path(value)) if is_file else parse_yaml(str(value).encode())
        except (OSError, ValueError) as error:
            self.fail(f"{value!r} is no YAML: {first_line(error)}; give e.g. '{self._example}'", param, ctx)
        if not isinstance(content, dict):
            if not is_file and str(value).endswith((".yaml", ".yml", ".json")):
                self.fail(missing_file(Path(value)), param, ctx)
            kind = "holds no mapping" if is_file else "is no mapping"
            self.fail(f"{value!r} {kind}: give e.g. '{self._example}', or a YAML file of such", param, ctx)
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


def require_broker() -> None:
    """Refuse to submit anything where no daemon can come to know of it.

    :raises ValueError: one line.
    """
    from aiida.manage import get_manager

    if get_manager().get_broker() is None:
        raise ValueError(
            "this profile has no broker, and so no daemon to submit to: leave --submit out, or take a profile that has "
            "one (--profile; `verdi profile configure-broker core.rabbitmq` gives this one a RabbitMQ)"
        )


def say(line: str) -> None:
    """Write a line of progress where it does not mix with what a command answers."""
    click.echo(line, err=True)

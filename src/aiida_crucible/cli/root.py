"""The command `aiida-crucible`: groups that import a command when it is called, and tell what is wrong in one line."""

from __future__ import annotations

import errno
import gc
import importlib
from typing import Any

import click

from aiida_crucible import __version__
from crucible_engine.wire.rules import as_line, first_line, suggestion


class OneLineErrors(click.Group):
    """A group whose commands end in one line where the user can correct what is wrong, and not in a traceback."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"there is no command {args[0]!r}: {suggestion(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            error.message = as_line(error.message)  # it repeats what was typed
            next_step = _next_step(error)
            if next_step is None:
                raise
            raise ToldError(as_line(next_step), error.ctx) from error
        except Exception as error:
            message = explain(error)
            if message is None:
                raise
            raise click.ClickException(message) from error


NEW_OBJECTS = 50_000
"""Objects after which the garbage collector looks; AiiDA's import makes ten times as many, and none of them garbage."""


class LazyGroup(OneLineErrors):
    """A group whose commands are imported when they are asked for.

    :param commands_by_name: name → ``package.module:attribute``.
    """

    def __init__(self, *args: Any, commands_by_name: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._commands_by_name = commands_by_name

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run as a program, whose start would be a sixth longer where Python looked for garbage at its usual pace."""
        gc.set_threshold(NEW_OBJECTS, 20, 100)
        return super().main(*args, **kwargs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names."""
        return sorted(self._commands_by_name)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported now; ``None`` where there is none of that name."""
        if cmd_name not in self._commands_by_name:
            return None
        command: click.Command = imported(self._commands_by_name[cmd_name])
        return command


class ToldError(click.UsageError):
    """A wrong use that is told together with what to do about it."""


def _next_step(error: click.UsageError) -> str | None:
    """Return what is wrong and what to do about it; ``None`` where that is said already, or nothing is known."""
    context = error.ctx
    if context is None or isinstance(error, ToldError):
        return None
    said = error.format_message().rstrip(".")
    more = f"`{context.command_path} {context.help_option_names[-1]}` tells what it takes"
    if isinstance(error, click.NoSuchOption):
        names = [name for each in context.command.get_params(context) for name in each.opts if name.startswith("--")]
        return f"there is no option {error.option_name} here: {suggestion(error.option_name, names)}"
    if isinstance(error, click.MissingParameter):
        told = getattr(error.param, "help", None)  # arguments have none
        return f"{said}: give it ({told.rstrip('.')}); {more}" if told else f"{said}: give it; {more}"
    if said.startswith("Got unexpected extra argument"):
        return f"{said}: write what belongs to one option without spaces or in quotes; {more}"
    return None


def imported(path: str) -> Any:
    """Return what ``package.module:attribute`` names, imported now."""
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def explain(error: Exception) -> str | None:
    """Return one line for an error that is the user's to act on; ``None`` for a fault of this program."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full: {error.filename or error.strerror}"
    if isinstance(error, click.ClickException | click.exceptions.Exit | click.Abort):
        return None
    from aiida.common.exceptions import AiidaException
    from plumpy import KilledError

    from aiida_crucible.environments import ModelEnvironmentError

    if isinstance(error, KilledError):
        return f"the run was {error}" if str(error) else "the run was killed"
    if isinstance(error, AiidaException | ModelEnvironmentError | ValueError):
        return as_line(first_line(error))
    return None


@click.group(
    cls=LazyGroup,
    commands_by_name={
        "benchmark": "aiida_crucible.cli.benchmark:benchmark",
        "check": "aiida_crucible.cli.publishing.check:check",
        "compare": "aiida_crucible.cli.compare:compare",
        "dataset": "aiida_crucible.cli.training.dataset:dataset",
        "demo": "aiida_crucible.cli.demo:demo",
        "doctor": "aiida_crucible.cli.doctor:doctor",
        "env": "aiida_crucible.cli.env:env",
        "export": "aiida_crucible.cli.publishing.export:export",
        "launch": "aiida_crucible.cli.launch:launch",
        "model": "aiida_crucible.cli.model:model",
        "reference": "aiida_crucible.cli.reference:reference",
        "report": "aiida_crucible.cli.report:report",
        "run": "aiida_crucible.cli.run:run",
        "setup": "aiida_crucible.cli.setup:setup",
        "site": "aiida_crucible.cli.publishing.site:site",
        "status": "aiida_crucible.cli.status:status",
        "train": "aiida_crucible.cli.training.train:train",
    },
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="aiida-crucible")
def main() -> None:
    """Find out whether a machine-learning interatomic potential can be trusted for a material.

    Start with `aiida-crucible demo`, or with `aiida-crucible setup` (once) and `aiida-crucible run FILE -m chgnet`.
    """

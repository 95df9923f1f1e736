"""``aiida-crucible demo``: two foundation models on PbTiO3, beside the published numbers."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_crucible.cli.shared.options import say


@click.command(short_help="Run two foundation models on PbTiO3 and compare with published numbers.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".demo"),
    show_default=True,
    help="Where the demonstration's AiiDA profile and results go.",
)
def demo(folder: Path) -> None:
    """Relax PbTiO3 with CHGNet and SevenNet, compute its phonons, heat it, and compare with published numbers.

    It takes some minutes, and seconds when it is run again. Your own AiiDA profiles are not touched.
    """
    from aiida_crucible.demo.profile import open_profile

    folder = folder.resolve()
    try:
        open_profile(folder)
    except ValueError as error:
        raise click.ClickException(str(error)) from error

    from aiida.orm import load_computer

    from aiida_crucible.demo import messages, pbtio3
    from aiida_crucible.demo.messages import save
    from aiida_crucible.environments.manage import Request, create_environment
    from aiida_crucible.monitoring.together import run_together

    click.echo(messages.introduction(folder))
    click.echo("Environments")
    computer = load_computer("localhost")
    builders = {}
    for model in pbtio3.MODELS:
        code = create_environment(Request(model.family), computer, report=_report)
        click.echo(f"  {code.full_label}: {code.description}")
        builders[model.title] = pbtio3.prepare(model, code)
    click.echo("\nRuns")
    nodes = run_together(builders)
    failures = [messages.failure(title, node) for title, node in nodes.items() if not node.is_finished_ok]
    if failures:
        raise click.ClickException("\n".join(failures))
    click.echo("\nTetragonal PbTiO3, and the energy of the cubic phase above it (ΔE)\n")
    table = pbtio3.compare(nodes)
    click.echo(table.to_text())
    click.echo(f"\nVerdicts\n\n{messages.verdicts(nodes)}\n")
    results = folder / "results"
    save(results, table, nodes)
    click.echo(messages.directions(folder, results, nodes))


def _report(line: str) -> None:
    """Pass on what the creation of an environment says, but for lists of packages and inner paths."""
    if not line.startswith((" + ", "Using Python")):
        say(f"  {line}")

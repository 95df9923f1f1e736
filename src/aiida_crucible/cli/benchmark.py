"""``aiida-crucible benchmark``: what many materials say together, while they run and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_crucible.cli.options import say, with_profile
from aiida_crucible.cli.root import OneLineErrors
from aiida_crucible.cli.status import find_process, print_jobs
from aiida_crucible.cli.tables import print_table

if TYPE_CHECKING:
    from aiida.orm import WorkflowNode

Summary = Mapping[str, Any]

ERRORS = ("model", "protocol", "complete", "partial", "failed", "RMSE ω² (THz²)", "RMSE v_g (Å THz)")
CLASSES = ("model", "protocol", "frames and force constants", "agree %", "over %", "under %", "undecided", "missing")
REASONS = ("model", "state", "part", "rows", "reason", "materials")
MOST_NAMED = 3
"""Materials that are named of those with the same reason."""


@click.group(cls=OneLineErrors)
def benchmark() -> None:
    """Tell what the materials of a BenchmarkWorkChain say together."""


@benchmark.command(short_help="Write tables and figures.")
@click.argument("process", metavar="PK")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where to; benchmark-PK if left out.",
)
@with_profile
def report(process: str, output: Path | None) -> None:
    """Write the tables (CSV) and figures (PNG, PDF) of a benchmark, by its PK or UUID; it may still run.

    In the terminal: medians of the errors, and the shares of all classed materials that the model takes for as stable
    as the reference does, for more stable (over), and for less (under).
    """
    from aiida_crucible.analysis.benchmark.summary import aggregate
    from aiida_crucible.analysis.benchmark.tables import tables
    from aiida_crucible.report.benchmark_figures import benchmark_figures
    from aiida_crucible.report.temperature_figures import save_figure

    node, rows = _find_rows(process)
    if not rows:
        raise click.ClickException(f"{_name(node)} has no row yet: `aiida-crucible benchmark status` tells what runs")
    summary, written = aggregate(rows), tables(rows)
    folder = Path(f"benchmark-{node.pk}") if output is None else output
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in written.items():
        (folder / f"{name}.csv").write_text(table.to_csv(), encoding="utf-8")
    for name, figure in benchmark_figures(rows).items():
        save_figure(figure, folder / name.replace("/", "-"))
    so_far = "" if node.is_terminated else " so far"
    click.echo(f"{_name(node)} is {node.process_state.value}: {_counted(len(rows), 'row')}{so_far}")
    click.echo()
    print_table(ERRORS, [_errors(entry) for entry in summary["entries"]])
    classes = [line for entry in summary["entries"] for line in _classes(entry)]
    if classes:
        click.echo()
        print_table(CLASSES, classes)
    say(f"Tables and figures are in {folder}")


@benchmark.command("status", short_help="Show which rows there are, and what runs.")
@click.argument("process", metavar="PK")
@with_profile
def status_(process: str) -> None:
    """Show how many rows a benchmark has, why some are not complete, and which of its jobs run."""
    from aiida_crucible.analysis.benchmark.summary import aggregate
    from aiida_crucible.monitoring.progress import look
    from aiida_crucible.nodes.benchmark import count_expected, jobs_that_run

    node, rows = _find_rows(process)
    summary = aggregate(rows)
    told = "no row yet"
    if rows:
        states = [entry["states"] for entry in summary["entries"]]
        counts = [f"{sum(one[state] for one in states)} {state}" for state in states[0]]
        expected = count_expected(node)
        there = _counted(len(rows), "row") if expected is None else f"{len(rows)} of {_counted(expected, 'row')}"
        told = ", ".join([there, *counts])
    jobs = [] if node.is_terminated else jobs_that_run(node)
    running = "" if node.is_terminated else f", {_counted(len(jobs), 'job')} {'runs' if len(jobs) == 1 else 'run'}"
    click.echo(f"{_name(node)} is {node.process_state.value}: {told}{running}")
    reasons = [line for entry in summary["entries"] for line in _reasons(entry)]
    if reasons:
        click.echo()
        print_table(REASONS, reasons)
    if jobs:
        click.echo()
        print_jobs(look(jobs))


def _find_rows(identifier: str) -> tuple[WorkflowNode, list[dict[str, Any]]]:
    """Return a benchmark and the rows that it has.

    :raises click.ClickException: if it is no benchmark, or has ended without any.
    """
    from aiida.orm import WorkflowNode

    from aiida_crucible.nodes.benchmark import may_have_rows, rows_of

    node = find_process(identifier)
    if not isinstance(node, WorkflowNode):
        raise click.ClickException(f"{_name(node)} is no WorkChain: give the PK of a BenchmarkWorkChain")
    rows = rows_of(node)
    if not rows and not may_have_rows(node):
        raise click.ClickException(f"{_name(node)} is no benchmark: give the PK of a BenchmarkWorkChain")
    if not rows and node.is_terminated:
        raise click.ClickException(f"{_name(node)} has ended and has no rows: see `verdi process report {node.pk}`")
    return node, rows


def _errors(entry: Summary) -> tuple[object, ...]:
    errors = entry["errors"]["by_order"]
    medians = [errors[quantity]["all"]["median"] for quantity in ("squares", "velocities")]
    return (
        entry["model"],
        entry["protocol"],
        *entry["states"].values(),
        *(None if median is None else f"{median:.3g}" for median in medians),
    )


def _classes(entry: Summary) -> list[tuple[object, ...]]:
    return [
        (
            entry["model"],
            entry["protocol"],
            choice,
            *(_percent(matrix["shares"][name]) for name in ("agreement", "over_stabilised", "under_stabilised")),
            matrix["undecided"],
            matrix["missing"],
        )
        for choice, matrix in entry["confusion"]["stability"].items()
    ]


def _reasons(entry: Summary) -> list[tuple[object, ...]]:
    return [
        (entry["model"], one["state"], one["part"], one["n"], one["reason"], _some(one["materials"]))
        for one in entry["missing"]
    ]


def _some(materials: Sequence[str]) -> str:
    more = len(materials) - MOST_NAMED
    named = ", ".join(materials[:MOST_NAMED])
    return f"{named} and {more} more" if more > 0 else named


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.0f}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _name(node: Any) -> str:
    return f"{node.process_label or type(node).__name__}<{node.pk}>"

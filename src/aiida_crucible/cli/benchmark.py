"""``aiida-crucible benchmark``: what many materials say together, while they run and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_crucible.cli.root import OneLineErrors
from aiida_crucible.cli.shared.options import say, with_profile
from aiida_crucible.cli.shared.tables import print_part
from aiida_crucible.cli.status import find_process

if TYPE_CHECKING:
    from aiida.orm import WorkflowNode

Summary = Mapping[str, Any]

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
    """Write the tables (CSV) and figures (PNG, SVG, PDF, CSV) of a benchmark, by its PK or UUID; it may still run.

    In the terminal: medians of the errors, and the shares of all classed materials that the model takes for as stable
    as the reference does, for more stable (over), and for less (under).
    """
    from aiida_crucible.analysis.benchmark.summary import aggregate
    from aiida_crucible.analysis.benchmark.tables import tables
    from aiida_crucible.monitoring.words import title_of
    from aiida_crucible.report.benchmark_rows import CLASSES, ERRORS, class_rows, error_rows
    from aiida_crucible.report.charts.files import save
    from aiida_crucible.report.figures.benchmark import benchmark_charts

    node, rows = _find_rows(process)
    if not rows:
        raise click.ClickException(
            f"{title_of(node)} has no row yet: `aiida-crucible benchmark status` tells what runs"
        )
    summary, written = aggregate(rows), tables(rows)
    folder = Path(f"benchmark-{node.pk}") if output is None else output
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in written.items():
        (folder / f"{name}.csv").write_text(table.to_csv(), encoding="utf-8")
    for chart in benchmark_charts(rows).values():
        save(chart, folder)
    so_far = "" if node.is_terminated else " so far"
    click.echo(f"{title_of(node)} is {node.process_state.value}: {_counted(len(rows), 'row')}{so_far}")
    print_part(ERRORS, error_rows(summary))
    print_part(CLASSES, class_rows(summary))
    say(f"Tables and figures are in {folder}")


@benchmark.command("status", short_help="Show which rows there are, and what runs.")
@click.argument("process", metavar="PK")
@with_profile
def status_(process: str) -> None:
    """Show how many rows a benchmark has, why some are not complete, and which of its jobs run."""
    from aiida_crucible.analysis.benchmark.summary import aggregate
    from aiida_crucible.monitoring.overview import job_table
    from aiida_crucible.monitoring.progress import look
    from aiida_crucible.monitoring.tree import snapshots
    from aiida_crucible.monitoring.words import title_of
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
    click.echo(f"{title_of(node)} is {node.process_state.value}: {told}{running}")
    print_part(REASONS, [line for entry in summary["entries"] for line in _reasons(entry)])
    print_part(*job_table(look(snapshots([job.pk for job in jobs]))))


def _find_rows(identifier: str) -> tuple[WorkflowNode, list[dict[str, Any]]]:
    """Return a benchmark and the rows that it has.

    :raises click.ClickException: if it is no benchmark, or has ended without any.
    """
    from aiida.orm import WorkflowNode

    from aiida_crucible.monitoring.words import title_of
    from aiida_crucible.nodes.benchmark import may_have_rows, rows_of

    node = find_process(identifier)
    if not isinstance(node, WorkflowNode):
        raise click.ClickException(f"{title_of(node)} is no WorkChain: give the PK of a BenchmarkWorkChain")
    rows = rows_of(node)
    if not rows and not may_have_rows(node):
        raise click.ClickException(f"{title_of(node)} is no benchmark: give the PK of a BenchmarkWorkChain")
    if not rows and node.is_terminated:
        raise click.ClickException(f"{title_of(node)} has ended and has no rows: see `verdi process report {node.pk}`")
    return node, rows


def _reasons(entry: Summary) -> list[tuple[object, ...]]:
    return [
        (entry["model"], one["state"], one["part"], one["n"], one["reason"], _some(one["materials"]))
        for one in entry["missing"]
    ]


def _some(materials: Sequence[str]) -> str:
    more = len(materials) - MOST_NAMED
    named = ", ".join(materials[:MOST_NAMED])
    return f"{named} and {more} more" if more > 0 else named


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

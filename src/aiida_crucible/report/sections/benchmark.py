"""A benchmark: what many materials say together, in tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiida_crucible.analysis.benchmark.summary import aggregate
from aiida_crucible.nodes.benchmark import rows_of
from aiida_crucible.report.benchmark_rows import CLASSES, ERRORS, class_rows, error_rows
from aiida_crucible.report.figures.benchmark import benchmark_charts
from aiida_crucible.report.findings import Finding
from aiida_crucible.report.page.document import Headline, Section, Table

KINDS = ("benchmark", "benchmark.batch")


def benchmark(findings: Sequence[Finding]) -> Section | None:
    """Return figures and tables of the rows of all benchmarks on the page together."""
    rows = [row for finding in findings if finding.kind in KINDS for row in rows_of(finding.node)]
    if not rows:
        return None
    summary = aggregate(rows)
    charts = list(benchmark_charts(rows).values())
    told = [_headline(entry) for entry in summary["entries"]]
    errors = Table("Models", ERRORS, _as_text(error_rows(summary)), (2, 3, 4, 5, 6))
    classes = Table(
        "Classes of stability against the reference's", CLASSES, _as_text(class_rows(summary)), (3, 4, 5, 6, 7)
    )
    return Section("benchmark", "Benchmark", [*told, errors, *charts, classes, _materials(rows)])


def _headline(entry: dict[str, Any]) -> Headline:
    """Return what a model's materials say together; whether that is good enough is for the reader to say."""
    states = entry["states"]
    error = entry["errors"]["by_order"]["squares"]["all"]["median"]
    said = f"{entry['model']}: {states['complete']} of {sum(states.values())} materials complete"
    if error is not None:
        said += f", median RMSE of ω² {error:.3g} THz²"
    for choice, matrix in entry["confusion"]["stability"].items():
        agreed, n_classed = _agreement(matrix["counts"])
        if n_classed:
            said += f"; {choice.replace('_', ' ')}: {agreed} of {n_classed} classes of stability agree"
    return Headline("result", "plain", said)


def _agreement(counts: Sequence[Sequence[int]]) -> tuple[int, int]:
    """Return on how many materials both sides agree, of how many that both have classed."""
    return sum(counts[index][index] for index in range(len(counts))), sum(map(sum, counts))


def _as_text(rows: Sequence[Sequence[Any]]) -> list[list[str]]:
    return [["–" if cell is None else str(cell) for cell in row] for row in rows]


def _materials(rows: Sequence[dict[str, Any]]) -> Table:
    lines = []
    for row in rows:
        harmonic = row.get("harmonic") or {}
        errors = harmonic.get("errors", {}).get("by_order", {})
        reference = row.get("scores", {}).get("reference", {})
        missing = "; ".join(f"{part}: {why}" for part, why in row.get("missing", {}).items())
        lines.append(
            [
                row["material"], row["group"], row["model"], row["state"], _number(errors.get("squares")),
                _number(errors.get("velocities")), _number(reference.get("sigma")), missing,
            ]
        )  # fmt: skip
    header = (
        "material", "group", "model", "state", "RMSE of ω² (THz²)", "RMSE of v (Å THz)", "σ of the reference", "missing"
    )  # fmt: skip
    return Table("Materials", header, lines, (4, 5, 6))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"

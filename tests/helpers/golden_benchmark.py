"""What a benchmark says of some rows, for the guard of its calcfunction."""

from __future__ import annotations

from typing import Any

from synthetic_rows import GIVEN, OWN_CONSTANTS, compared, own_run, row, scored

from aiida_crucible.analysis.benchmark_summary import aggregate
from aiida_crucible.analysis.benchmark_tables import tables


def aggregated() -> dict[str, Any]:
    """Return the summary and the tables of six materials, one of which failed, at two temperatures."""
    rows = []
    for number, group in enumerate(("F", "Cl", "Cl", "Br", "I")):
        truth = 0.15 + 0.3 * number
        scores = {GIVEN: 0.9 * truth, OWN_CONSTANTS: None if number == 2 else 0.7 * truth}
        scores |= {own_run("own", temperature): truth * temperature / 400 for temperature in (300.0, 600.0)}
        imaginary = ("real", "imaginary") if number == 3 else ("real", "real")
        harmonic = compared(1 + (number - 2) ** 2, 1 + number**1.5, imaginary)
        rows.append(row(f"M{number}", group=group, harmonic=harmonic, scores=scored(truth, scores)))
    rows.append(row("M5", state="failed", missing={"harmonic": "not relaxed"}))
    files = {name: table.to_csv().splitlines() for name, table in tables(rows).items()}
    return {"summary": aggregate(rows), "tables": {"columns": {name: lines[0] for name, lines in files.items()}}}

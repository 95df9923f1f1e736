"""What force calls of models cost: a figure and a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiida.orm import Dict

from aiida_crucible.report.figures.speed import speed_chart
from aiida_crucible.report.findings import Finding
from aiida_crucible.report.page.document import Block, Section, Table


def speed(findings: Sequence[Finding]) -> Section | None:
    """Return time and memory against the number of atoms, of timings alone and of those of a comparison."""
    blocks: list[Block] = []
    for finding in findings:
        node = finding.outputs.get("summary" if finding.kind == "speed" else "speed")
        if finding.kind not in ("speed", "comparison") or not isinstance(node, Dict):
            continue
        content = node.get_dict()
        formula = finding.formula
        blocks += [speed_chart(content, f"Force calls of {formula}, repeated"), speed_table_block(content)]
    return Section("speed", "What a force call costs", blocks) if blocks else None


def speed_table_block(content: Mapping[str, Any]) -> Table:
    """Return the table of a timing: a line for each size of each model, and why others have none."""
    rows = [row for model in content["models"].values() for row in _rows(model)]
    rows += [[label, "–", reason, *[""] * 7] for label, reason in sorted(content["failed"].items())]
    header = ("model", "atoms", "outcome", "ms", "with the first call, ms", "first call, s", "batched, ms a structure")
    return Table(
        "Force calls", (*header, "in batches of", "peak memory (MiB)", "threads"), rows, (1, 3, 4, 5, 6, 7, 8, 9)
    )


def _rows(model: Mapping[str, Any]) -> Iterator[list[str]]:
    for entry in model["sizes"]:
        if entry["outcome"] != "measured":
            reason = f"{entry['outcome']}: {entry['reason']}"
            yield [model["title"], str(entry["n_atoms"]), reason, *[""] * 7]
            continue
        best = min(entry["batches"], key=lambda each: each["milliseconds_per_structure"], default=None)
        numbers = [f"{entry[name]:.3g}" for name in ("milliseconds_per_step", "with_warm_up", "first_call")]
        batch = ["", ""] if best is None else [f"{best['milliseconds_per_structure']:.3g}", str(best["size"])]
        memory = entry["peak_memory"] if entry["peak_device_memory"] is None else entry["peak_device_memory"]
        measured = [model["title"], str(entry["n_atoms"]), "measured", *numbers, *batch]
        yield [*measured, f"{memory:.0f}", str(entry["threads"])]

"""How anharmonic the crystal is: σ against temperature, and by species."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aiida_crucible.report.figures.anharmonicity import SigmaCurve, sigma_temperature_chart
from aiida_crucible.report.findings import Finding
from aiida_crucible.report.page.document import Block, Section, Table

Scores = Sequence[Mapping[str, Any]]
OWN = "own"


def anharmonicity(findings: Sequence[Finding]) -> Section | None:
    """Return a figure of all scores, and a table of them."""
    scores = {finding.name: _scores(finding) for finding in findings}
    scores = {name: own for name, own in scores.items() if own}
    if not scores:
        return None
    curves = [curve for name, own in scores.items() for curve in _curves(name, own)]
    subject = next(finding.subject for finding in findings if finding.name in scores)
    chart = sigma_temperature_chart(curves, f"Anharmonicity of {subject}, {', '.join(scores)}")
    blocks: list[Block] = [] if chart is None else [chart]
    rows = [row for name, own in scores.items() for row in _rows(name, own)]
    header = ("model", "T (K)", "frames", "force constants", "σ", "class", "frames used", "by species", "doubts")
    return Section("anharmonicity", "Anharmonicity", [*blocks, Table("Scores", header, rows, (1, 4, 6))])


def _scores(finding: Finding) -> list[dict[str, Any]]:
    found = finding.part("anharmonicity").get("scores", {})
    content = [node.get_dict() for node in found.values()] if isinstance(found, Mapping) else []
    return sorted(content, key=lambda each: (each["frames"], each["constants"], each["temperature"] or 0.0))


def _curves(name: str, scores: Scores) -> list[SigmaCurve]:
    by_choice: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for each in scores:
        by_choice.setdefault((each["frames"], each["constants"]), []).append(each)
    curves = []
    for (frames, constants), own in by_choice.items():
        told = [each["sigma"]["time_averaged"] for each in own]
        full = name if (frames, constants) == (OWN, OWN) else f"{name}: {frames} frames, {constants} constants"
        curves.append(
            SigmaCurve(
                full,
                np.array([each["temperature"] for each in own], dtype=float),
                np.array([each["value"] for each in told], dtype=float),
                np.array([each["standard_error"] for each in told], dtype=float),
                np.array([bool(each["warning"]) for each in told]),
            )
        )
    return curves


def _rows(name: str, scores: Scores) -> list[list[str]]:
    rows = []
    for each in scores:
        total = each["sigma"]["time_averaged"]
        species = each.get("by", {}).get("species", {})
        by_species = ", ".join(f"{symbol} {_number(part['value'])}" for symbol, part in species.items())
        doubts = "; ".join([*each.get("doubts", []), *each.get("warnings", [])])
        temperature = "" if each["temperature"] is None else f"{each['temperature']:g}"
        rows.append(
            [
                name, temperature, each["frames"], each["constants"], _with_error(total), each["class"],
                str(each.get("n_frames", "")), by_species, doubts,
            ]
        )  # fmt: skip
    return rows


def _with_error(score: Mapping[str, Any]) -> str:
    error = score["standard_error"]
    return _number(score["value"]) + ("" if error is None else f" ± {_number(error)}")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"

"""Thermal expansion and thermal conductivity: curves against the temperature, numbers with their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aiida_crucible.report.figures.heated import (
    PANELS,
    HeatCarried,
    HeatedCrystal,
    conductivity_chart,
    heated_chart,
)
from aiida_crucible.report.findings import Finding
from aiida_crucible.report.page.document import Block, Section, Table

HEATED = {
    "volume": "V (Å³ a formula unit)",
    "thermal_expansion": "α (1/K)",
    "bulk_modulus": "B (GPa)",
    "heat_capacity": "Cp (J/(K mol))",
    "gruneisen": "γ",
}
CARRIED = {"conductivity": "κ, mean (W/(m K))", "xx": "xx", "yy": "yy", "zz": "zz"}


def heat(findings: Sequence[Finding]) -> Section | None:
    """Return what crystals do when they are heated, and the heat that their phonons carry."""
    heated, carried = (
        [finding for finding in findings if finding.kind == kind and "summary" in finding.outputs]
        for kind in ("qha", "conductivity")
    )
    if not heated and not carried:
        return None
    blocks: list[Block] = []
    if drawn := [_heated(finding) for finding in heated if "thermal" in finding.outputs]:
        names = ", ".join(each.name for each in drawn)
        blocks.append(heated_chart(drawn, f"Quasi-harmonic approximation of {heated[0].subject}, {names}"))
    if heated:
        blocks += [_numbers("Of the crystal when heated", heated, HEATED), *_volumes(heated)]
    if lines := [_carried(finding) for finding in carried if "conductivity" in finding.outputs]:
        names = ", ".join(each.name for each in lines)
        blocks.append(conductivity_chart(lines, f"Lattice thermal conductivity of {carried[0].subject}, {names}"))
    if carried:
        blocks.append(_numbers("Lattice thermal conductivity", carried, CARRIED))
    return Section("heat", "Heat", blocks)


def _heated(finding: Finding) -> HeatedCrystal:
    node = finding.outputs["thermal"]
    names = [name for name, _, _ in PANELS]
    return HeatedCrystal(
        finding.name,
        node.get_array("temperatures"),
        {name: node.get_array(name) for name in names},
        {name: node.get_array(f"{name}_error") for name in names},
    )


def _carried(finding: Finding) -> HeatCarried:
    node, told = finding.outputs["conductivity"], finding.outputs["summary"]["temperature"]
    temperatures, widths = node.get_array("temperatures"), node.get_array("linewidths")
    place = int(np.argmin(np.abs(temperatures - told)))
    frequencies, own = node.get_array("frequencies").ravel(), widths[place].ravel()
    scattered = own > 0
    return HeatCarried(
        finding.name,
        temperatures,
        node.get_array("conductivity"),
        node.get_array("conductivity_error"),
        frequencies[scattered],
        1 / (4 * np.pi * own[scattered]),
        float(temperatures[place]),
    )


def _numbers(title: str, findings: Sequence[Finding], names: Mapping[str, str]) -> Table:
    rows = []
    for finding in findings:
        summary = finding.outputs["summary"].get_dict()
        values, errors = summary.get("values", {}), summary.get("errors", {})
        told = [_with_error(values, errors, name) for name in names]
        rows.append([finding.name, str(summary["outcome"]), f"{summary.get('temperature', '–')}", *told])
    header = ("model", "outcome", "temperature (K)", *names.values())
    return Table(title, header, rows, tuple(range(2, len(header))))


def _volumes(findings: Sequence[Finding]) -> list[Table]:
    """Return what became of each volume, of those findings of which one does not count."""
    tables = []
    for finding in findings:
        volumes = finding.outputs["summary"].get_dict().get("volumes", [])
        if all(each["counts"] for each in volumes):
            continue
        rows = [
            [f"{each['strain']:+.4f}", f"{each['volume']:.4g}", each["phonons"], each["reason"]] for each in volumes
        ]
        header = ("strain of the lengths", "volume (Å³ a formula unit)", "phonons", "why")
        tables.append(Table(f"Volumes of {finding.subject} by {finding.name}", header, rows, (0, 1)))
    return tables


def _with_error(values: Mapping[str, Any], errors: Mapping[str, Any], name: str) -> str:
    if values.get(name) is None:
        return "–"
    error = errors.get(name)
    return f"{values[name]:.4g}" + ("" if error is None else f" ± {error:.1g}")

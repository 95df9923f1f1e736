"""Vibrations of molecules and slabs: their frequencies, models beside each other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from aiida_crucible.report.figures.bands import WAVENUMBERS_PER_TERAHERTZ
from aiida_crucible.report.findings import Finding
from aiida_crucible.report.page.document import Section, Table

LISTED = 60
"""So many frequencies of a model are listed, the lowest ones; all of them are in its node."""


def vibrations(findings: Sequence[Finding]) -> Section | None:
    """Return what the frequencies rest on, and the frequencies; imaginary ones are negative."""
    own = [finding for finding in findings if finding.kind == "vibrations" and "summary" in finding.outputs]
    if not own:
        return None
    return Section("vibrations", "Vibrations", [_origin(own), *_frequencies(own)])


def _origin(findings: Sequence[Finding]) -> Table:
    rows = []
    for finding in findings:
        summary = finding.outputs["summary"].get_dict()
        resolvable = summary.get("resolvable_frequency")
        told = "–" if resolvable is None else f"{resolvable:.3f}"
        rows.append([finding.name, finding.subject, str(summary["outcome"]), told, str(summary.get("reason", ""))])
    header = ("model", "of", "outcome", "resolvable (THz)", "why")
    return Table("What the vibrations rest on", header, rows, (3,))


def _frequencies(findings: Sequence[Finding]) -> list[Table]:
    columns = {
        finding.name: np.sort(finding.outputs["modes"].get_array("frequencies"))[:LISTED]
        for finding in findings
        if "modes" in finding.outputs
    }
    if not columns:
        return []
    rows = [
        [str(number), *(text for frequency in each for text in _told(frequency))]
        for number, each in enumerate(itertools.zip_longest(*columns.values()), start=1)
    ]
    header = ["mode", *(f"{name} ({unit})" for name in columns for unit in ("THz", "cm⁻¹"))]
    return [Table("Frequencies, imaginary ones negative", header, rows, tuple(range(len(header))))]


def _told(frequency: float | None) -> tuple[str, str]:
    if frequency is None:
        return "", ""
    return f"{frequency:.3f}", f"{WAVENUMBERS_PER_TERAHERTZ * frequency:.1f}"

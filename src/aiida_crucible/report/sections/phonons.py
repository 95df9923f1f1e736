"""Phonons: bands over each other with what noise could make of them, and the numbers behind the verdict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aiida_crucible.report.figures.bands import band_chart, band_structure
from aiida_crucible.report.findings import Finding
from aiida_crucible.report.page.document import Block, Section, Table


def phonons(findings: Sequence[Finding]) -> Section | None:
    """Return band structures, one figure for those along the same path, and a table of what they rest on."""
    own = [finding for finding in findings if "summary" in finding.part("phonon")]
    if not own:
        return None
    return Section("phonons", "Phonons", [*_bands(own), _table(own)])


def _bands(findings: Sequence[Finding]) -> list[Block]:
    drawn = [
        (finding, band_structure(finding.name, part["bands"], part.get("dos")))
        for finding in findings
        if "bands" in (part := finding.part("phonon"))
    ]
    by_path: dict[tuple[str, ...], list[int]] = {}
    for index, (_, bands) in enumerate(drawn):
        by_path.setdefault(tuple(label for _, label in bands.corners()), []).append(index)
    charts: list[Block] = []
    for number, chosen in enumerate(by_path.values()):
        name = "phonon-bands" if number == 0 else f"phonon-bands-{number + 1}"
        own = [drawn[index] for index in chosen]
        charts.append(band_chart([bands for _, bands in own], _title([finding for finding, _ in own]), name))
    return charts


def _title(findings: Sequence[Finding]) -> str:
    sizes = {finding.part("phonon")["summary"].get_dict().get("n_atoms_supercell") for finding in findings}
    atoms = f", supercell of {sizes.pop()} atoms" if len(sizes) == 1 and None not in sizes else ""
    return f"Phonons of {findings[0].subject}{atoms}, {', '.join(finding.name for finding in findings)}"


def _table(findings: Sequence[Finding]) -> Table:
    rows = []
    for finding in findings:
        summary = finding.part("phonon")["summary"].get_dict()
        noise = summary.get("force_noise") or {}
        rows.append(
            [
                finding.name, str(summary.get("outcome", "")), _told(summary.get("lowest_mesh_frequency")),
                _told((summary.get("verdict") or {}).get("resolvable_frequency")), _told(noise.get("floor"), ".1e"),
                str(summary.get("n_atoms_supercell", "")), _told(summary.get("displacement"), "g"),
                _told(summary.get("zero_point_energy")),
            ]
        )  # fmt: skip
    header = (
        "model", "outcome", "lowest on the mesh (THz)", "resolvable there (THz)", "noise of the forces (eV/Å)",
        "atoms", "displacement (Å)", "zero-point energy (eV a cell)",
    )  # fmt: skip
    return Table("What the phonons rest on", header, rows, (2, 3, 4, 5, 6, 7))


def _told(value: float | None, style: str = ".3f") -> str:
    return "–" if value is None or not np.isfinite(value) else format(value, style)

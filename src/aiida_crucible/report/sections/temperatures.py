"""Finite temperature: lattice, order parameter and polarization against temperature, and the transitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from aiida.orm import Dict

from aiida_crucible.nodes.structures import to_atoms
from aiida_crucible.report.figures.temperature_curves import (
    KnownValues,
    TemperatureCurves,
    run_length,
    temperature_curves,
)
from aiida_crucible.report.figures.temperatures import temperature_chart
from aiida_crucible.report.findings import Finding
from aiida_crucible.report.page.document import Block, Section, Table
from aiida_crucible.report.sections.crystal import known_lattice

SAME = 1e-3
"""Å; how far the axes of the cell that was run may be from the conventional ones to be compared with a reference."""


def temperatures(findings: Sequence[Finding]) -> Section | None:
    """Return a figure of all models where there are several, one of each, and what became of each run."""
    own = [finding for finding in findings if {"curves", "analysis", "transitions"} <= set(finding.part("sweep"))]
    if not own:
        return None
    curves = {finding.name: _curves(finding) for finding in own}
    known = {finding.name: _known(finding) for finding in own}
    blocks: list[Block] = []
    if len(own) > 1:
        together = list({each.name: each for several in known.values() for each in several}.values())
        subject = ", ".join(dict.fromkeys(finding.subject for finding in own))
        title = f"{subject} against temperature, {_lengths(list(curves.values()))}"
        blocks.append(temperature_chart(list(curves.values()), title, together))
    for number, finding in enumerate(own):
        size = f"{_size(finding)}{_lengths([curves[finding.name]])}"
        title = f"{finding.subject} against temperature by {finding.name}, {size}"
        name = "temperature-sweep" if len(own) == 1 else f"temperature-sweep-{number + 1}"
        blocks.append(temperature_chart([curves[finding.name]], title, known[finding.name], name))
    spreads = [table for table in map(_members, own) if table is not None]
    return Section("temperatures", "At finite temperature", [*blocks, _transitions(own), *map(_runs, own), *spreads])


def _curves(finding: Finding) -> TemperatureCurves:
    part = finding.part("sweep")
    return temperature_curves(finding.name, part["curves"], part["analysis"], part["transitions"])


def _known(finding: Finding) -> list[KnownValues]:
    """Return the reference's lattice where it is of the same axes, and its transition."""
    source, lattice = known_lattice(finding)
    reference = finding.inputs.get("reference")
    content = reference.get_dict() if isinstance(reference, Dict) else {}
    transition = content.get("transition_temperature")
    if not lattice and transition is None:
        return []
    name = (source or str(content.get("source") or "reference")).partition(", doi")[0]
    return [KnownValues(name, lattice if _has_conventional_axes(finding) else {}, transition)]


def _has_conventional_axes(finding: Finding) -> bool:
    entry = finding.relaxation.get("structure", {}).get("lattice")
    relaxed = finding.relaxed
    if entry is None or relaxed is None:
        return False
    own = to_atoms(relaxed).cell.lengths()
    return bool(np.allclose(own, [entry[name] for name in "abc"], atol=SAME))


def _size(finding: Finding) -> str:
    supercell = finding.part("sweep").get("supercell")
    return "" if supercell is None else f"{len(supercell.sites)} atoms, "


def _lengths(curves: Sequence[TemperatureCurves]) -> str:
    known = [each.length for each in curves if each.length is not None]
    if not known:
        return "length of the runs unknown"
    low, high = min(each[0] for each in known), max(each[1] for each in known)
    return f"{low:.3g} ps each" if high - low < 0.01 * high else f"{low:.3g} to {high:.3g} ps each"


def _transitions(findings: Sequence[Finding]) -> Table:
    rows = []
    for finding in findings:
        content = finding.part("sweep")["transitions"].get_dict()
        rows.append([finding.name, "", "", content["verdict"]])
        for each in content["transitions"]:
            low, high = (("…" if end is None else f"{end:g}") for end in each["interval"])
            rows.append([finding.name, each["kind"], f"{each['temperature']:.4g} ({low} to {high})", each["reason"]])
    return Table("Transitions", ("model", "kind", "temperature (K)", "reason"), rows)


def _runs(finding: Finding) -> Table:
    entries = sorted(finding.part("sweep")["analysis"].get_dict().values(), key=lambda entry: entry["temperature"])
    rows = [
        [
            f"{entry['temperature']:g}",
            entry.get("outcome") or entry["state"],
            *_averages(entry),
            _length(entry),
            entry["reason"],
        ]
        for entry in entries
    ]
    header = ("T (K)", "outcome", "a (Å)", "b (Å)", "c (Å)", "run (ps)", "reason")
    return Table(f"Runs by {finding.name}", header, rows, (0, 2, 3, 4, 5))


def _members(finding: Finding) -> Table | None:
    """Return what the members of an ensemble would have found, where there is one."""
    node = finding.part("sweep").get("ensemble")
    if node is None:
        return None
    rows = []
    for entry in sorted(node["evidence"].values(), key=lambda each: each["temperature"]):
        shown = [_interval(entry, name) for name in ("a", "b", "c", "volume")]
        rows.append([f"{entry['temperature']:g}", f"{min(entry['effective_samples']):.3g}", *shown])
    header = ("T (K)", "frames that count", "a (Å)", "b (Å)", "c (Å)", "volume (Å³ a formula unit)")
    title = (
        f"What the members of {finding.name} would have found. {node['question']} {node['answer']}: {node['reason']}"
    )
    return Table(title, header, rows, (0, 1, 2, 3, 4, 5))


def _interval(entry: Mapping[str, Any], name: str) -> str:
    half = entry["intervals"].get(name)
    if half is None:
        return "not known"
    mean = sum(entry["members"][name]) / len(entry["members"][name])
    return f"{mean:.4g} ± {half:.2g}"


def _averages(entry: Mapping[str, Any]) -> list[str]:
    found = []
    for name in "abc":
        average = entry.get("averages", {}).get(name)
        if average is None or average["mean"] is None:
            found.append("–")
        else:
            doubt = " (short)" if average["warning"] else ""
            found.append(f"{average['mean']:.3f} ± {average['standard_error'] or 0.0:.3f}{doubt}")
    return found


def _length(entry: Mapping[str, Any]) -> str:
    duration = run_length(entry)
    return "–" if duration is None else f"{duration:.3g}"

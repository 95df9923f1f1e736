"""The relaxed crystal: its lattice beside that of others, its phases, and how it looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida.orm import Dict, StructureData

from aiida_crucible.nodes.structures import to_atoms
from aiida_crucible.references.published import pto_test
from aiida_crucible.report.figures.lattice import LatticeValues, lattice_chart
from aiida_crucible.report.findings import Finding
from aiida_crucible.report.page.document import Block, Scene, Section, Table
from aiida_crucible.report.page.structure_scene import picture, scene

MAIN = "structure"
MOST_SCENES = 4


def crystal(findings: Sequence[Finding]) -> Section | None:
    """Return lattice, energies of the phases, and the relaxed structures."""
    relaxed = [finding for finding in findings if finding.relaxation or finding.relaxed is not None]
    if not relaxed:
        return None
    subject = relaxed[0].subject
    blocks: list[Block] = []
    sources, truth = _lattices(relaxed)
    if (chart := lattice_chart(sources, truth, f"Lattice of {subject}, relaxed")) is not None:
        blocks.append(chart)
    if phases := _phases(relaxed):
        blocks.append(phases)
    if spreads := _spreads(relaxed):
        blocks.append(spreads)
    blocks += [_scene(finding) for finding in relaxed[:MOST_SCENES] if finding.relaxed is not None]
    return Section("crystal", "The crystal", blocks) if blocks else None


def known_lattice(finding: Finding) -> tuple[str, Mapping[str, float]]:
    """Return the source and the values of the lattice that a process was compared with; empty where there is none."""
    reference = finding.inputs.get("reference")
    if not isinstance(reference, Dict) or not reference.get_dict().get("lattice"):
        return "", {}
    content = reference.get_dict()
    return str(content.get("source") or "reference"), content["lattice"]


def _lattices(findings: Sequence[Finding]) -> tuple[list[LatticeValues], str | None]:
    sources = [
        LatticeValues(finding.name, lattice, is_computed=True)
        for finding in findings
        if (lattice := finding.relaxation.get(MAIN, {}).get("lattice"))
    ]
    truth: str | None = None
    known: dict[str, Mapping[str, float]] = {}
    for finding in findings:
        source, lattice = known_lattice(finding)
        if pto_test.source() in source:
            known |= _functionals()
        if lattice:
            truth = source.partition(", doi")[0]
            known.setdefault(truth, lattice)
    return [*sources, *(LatticeValues(name, values, is_computed=False) for name, values in known.items())], truth


def _functionals() -> dict[str, Mapping[str, float]]:
    """Return what density functionals find for PbTiO3, of the publication that the reference is from."""
    table = pto_test.table_2()
    return {name: table[name] for name in ("LDA", "PBE", "PBEsol", "r2SCAN") if name in table}


def _phases(findings: Sequence[Finding]) -> Table | None:
    rows = []
    for finding in findings:
        entries = finding.relaxation
        if not entries:
            continue
        main = entries.get(MAIN, {}).get("energy_per_formula_unit")
        for name, entry in entries.items():
            energy = entry.get("energy_per_formula_unit")
            above = "" if energy is None or main is None else f"{energy - main:+.3f}"
            rows.append(
                [finding.name, name, *_symmetry(entry), above, str(entry["outcome"]), str(entry.get("steps", ""))]
            )
    header = ("model", "phase", "space group", "relaxed to", "energy (eV a formula unit)", "outcome", "steps")
    return Table("Phases", header, rows, (4, 6)) if rows else None


def _spreads(findings: Sequence[Finding]) -> Table | None:
    """Return what the members of ensembles make of the crystals, where there are any."""
    rows = []
    for finding in findings:
        for name, entry in finding.relaxation.items():
            ensemble = entry.get("ensemble")
            if not ensemble or not ensemble["n_converged"]:
                continue
            shown = [_mean_and_interval(ensemble, key) for key in ("a", "c", "c_over_a", "volume")]
            rows.append([finding.name, name, f"{ensemble['n_converged']} of {ensemble['n_members']}", *shown])
    header = ("model", "phase", "members relaxed", "a (Å)", "c (Å)", "c/a", "volume (Å³ a formula unit)")
    return (
        Table("What the members of the ensemble find, with the interval of a further one", header, rows)
        if rows
        else None
    )


def _mean_and_interval(ensemble: Mapping[str, Any], key: str) -> str:
    values, half = ensemble["lattice"].get(key), ensemble["intervals"].get(key)
    if not values:
        return "–"
    mean = sum(values) / len(values)
    return f"{mean:.4g}" if half is None else f"{mean:.4g} ± {half:.2g}"


def _symmetry(entry: Mapping[str, Any]) -> tuple[str, str]:
    before, after = ((entry.get(f"space_group_{when}") or {}).get("symbol") or "–" for when in ("before", "after"))
    return str(before), str(after)


def _scene(finding: Finding) -> Scene:
    structure = finding.relaxed
    assert isinstance(structure, StructureData)
    atoms = to_atoms(structure)
    lengths = " × ".join(f"{length:.3f}" for length in atoms.cell.lengths())
    caption = f"{len(atoms)} atoms, cell {lengths} Å, node {structure.uuid[:8]}. Turn it with the mouse or a finger."
    return Scene(f"{finding.subject}, relaxed by {finding.name}", caption, scene(atoms), picture(atoms))

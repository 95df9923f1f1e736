"""Equation of state and elastic tensor: energies against volumes, components and moduli with their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aiida_crucible.report.figures.energy_volume import EnergyCurve, energy_volume_chart
from aiida_crucible.report.findings import Finding
from aiida_crucible.report.page.document import Block, Section, Table

MODULI = {
    "bulk_modulus": "bulk modulus (GPa)",
    "shear_modulus": "shear modulus (GPa)",
    "young_modulus": "Young's modulus (GPa)",
    "poisson_ratio": "Poisson's ratio",
    "universal_anisotropy": "universal anisotropy",
}
VOIGT = ("xx", "yy", "zz", "yz", "xz", "xy")


def elasticity(findings: Sequence[Finding]) -> Section | None:
    """Return curves of energy against volume with their parameters, and elastic tensors with their moduli."""
    volumes, tensors = (
        [finding for finding in findings if finding.kind == kind and "summary" in finding.outputs]
        for kind in ("equation_of_state", "elastic")
    )
    if not volumes and not tensors:
        return None
    blocks: list[Block] = []
    if drawn := [_curve(finding) for finding in volumes if "curve" in finding.outputs]:
        names = ", ".join(curve.name for curve in drawn)
        blocks.append(energy_volume_chart(drawn, f"Equation of state of {volumes[0].subject}, {names}"))
    if volumes:
        blocks.append(_equilibria(volumes))
    if tensors:
        blocks.append(_moduli(tensors))
    blocks += [_tensor(finding) for finding in tensors if "tensor" in finding.outputs]
    return Section("elasticity", "Equation of state and elasticity", blocks)


def _curve(finding: Finding) -> EnergyCurve:
    node, summary = finding.outputs["curve"], finding.outputs["summary"].get_dict()
    units = int(summary["formula_units"])
    names = set(node.get_arraynames())
    energies = node.get_array("energies")
    lowest = float(np.nanmin(energies)) if np.isfinite(energies).any() else 0.0
    none = np.zeros(0)
    drawn, curve, pressures = (
        node.get_array(name) if name in names else none for name in ("fit_volumes", "fit_energies", "fit_pressures")
    )
    return EnergyCurve(
        finding.name,
        node.get_array("volumes") / units,
        (energies - lowest) / units,
        node.get_array("pressures"),
        drawn / units,
        (curve - lowest) / units,
        pressures,
    )


def _equilibria(findings: Sequence[Finding]) -> Table:
    rows = []
    for finding in findings:
        summary = finding.outputs["summary"].get_dict()
        values, errors = summary.get("equilibrium", {}), summary.get("errors", {})
        told = [_with_error(values, errors, name) for name in ("volume", "bulk_modulus", "derivative")]
        rows.append([finding.name, str(summary["outcome"]), *told, str(summary.get("formula_units", "–"))])
    header = ("model", "outcome", "V₀ (Å³ a cell)", "B₀ (GPa)", "B₀'", "formula units a cell")
    return Table("Parameters of the equation of state", header, rows, (2, 3, 4, 5))


def _moduli(findings: Sequence[Finding]) -> Table:
    rows = []
    for finding in findings:
        summary = finding.outputs["summary"].get_dict()
        told = [_with_error(summary.get("moduli", {}), summary.get("moduli_errors", {}), name) for name in MODULI]
        rows.append([finding.name, str(summary["outcome"]), *told])
    header = ("model", "outcome", *MODULI.values())
    return Table("Moduli of a polycrystal (Hill's mean)", header, rows, tuple(range(2, len(header))))


def _tensor(finding: Finding) -> Table:
    stiffness, errors = (finding.outputs["tensor"].get_array(name) for name in ("elastic_tensor", "errors"))
    rows = [
        [name, *(f"{value:.1f} ± {error:.1g}" for value, error in zip(values, own, strict=True))]
        for name, values, own in zip(VOIGT, stiffness, errors, strict=True)
    ]
    title = f"Elastic tensor of {finding.subject} by {finding.name} (GPa; rows are stresses, columns strains)"
    return Table(title, ("", *VOIGT), rows, tuple(range(1, 7)))


def _with_error(values: Mapping[str, Any], errors: Mapping[str, Any], name: str) -> str:
    if values.get(name) is None:
        return "–"
    error = errors.get(name)
    return f"{values[name]:.4g}" + ("" if error is None else f" ± {error:.1g}")

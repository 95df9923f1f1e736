"""Whether the model is sound in the environment that ran: each check with what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida.orm import Dict

from aiida_crucible.report.findings import Finding
from aiida_crucible.report.page.document import Block, Section, Table
from aiida_crucible.report.verification import HEADER, check_rows, verification_verdict


def verification(findings: Sequence[Finding]) -> Section | None:
    """Return the checks of each model, a table each, once where several processes share it."""
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for finding in findings:
        node = finding.outputs.get("verification", finding.outputs.get("results") if finding.kind == "verify" else None)
        if isinstance(node, Dict) and "checks" in node.get_dict().get("summary", {}):
            found.setdefault(node.uuid, (finding.name, node.get_dict()))
    if not found:
        return None
    blocks: list[Block] = [
        Table(f"{name}: {verification_verdict(content)}", HEADER, check_rows(content), (2, 3))
        for name, content in found.values()
    ]
    return Section("verification", "Verification of the models", blocks)

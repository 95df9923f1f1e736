"""Where every number comes from: the provenance graph of each process."""

from __future__ import annotations

from collections.abc import Sequence

from aiida_crucible.report.findings import Finding
from aiida_crucible.report.page.document import Block, Section
from aiida_crucible.report.page.provenance import provenance


def origin(findings: Sequence[Finding]) -> Section:
    """Return a graph and a table of its nodes for each process."""
    blocks: list[Block] = []
    for finding in findings:
        blocks += provenance(finding.node, finding.called, f"Provenance of {finding.subject}, {finding.name}")
    return Section("provenance", "Provenance", blocks)

"""What the table of a site says of one process: model, material, verdict, and how far it was looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from aiida.orm import Dict, Group, ProcessNode, QueryBuilder

from aiida_crucible.compat.aiida_archive import GROUP_DESCRIPTION
from aiida_crucible.report.findings import KINDS, Finding, kind_of_type, named_findings, require_reportable

WITHOUT_VERDICT = "none"
"""The verdict of what judges nothing, such as a sweep alone."""


@dataclass(frozen=True)
class Entry:
    """One report of a site.

    :param key: name of its file.
    :param material: formula and space group.
    :param elements: of the material.
    :param model: its title.
    :param family: of the model.
    :param functional: of the model's training data.
    :param kind: of the process.
    :param trusted: ``yes``, ``no``, ``cannot-tell`` or :data:`WITHOUT_VERDICT`.
    :param headline: in one line.
    :param up_to: temperature up to which it is trusted, K; ``None`` where there is none.
    :param length: of the hot runs, ps; ``None`` where there are none.
    :param protocol: by which it was computed.
    :param archive: name of the archive that it is from.
    """

    key: str
    material: str
    elements: Sequence[str]
    model: str
    family: str
    functional: str
    kind: str
    trusted: str
    headline: str
    up_to: float | None
    length: float | None
    protocol: str
    archive: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain types, for JSON."""
        return asdict(self)


def reportable_processes() -> list[ProcessNode]:
    """Return the processes of the loaded archive that deserve a page of their own, in the order of their creation.

    Those that the group of an export names: an archive has to hold more, such as the run in which a verification was
    done that others share. Where there is no such group, those that no other of ours called.
    """
    ours = {"or": [{"process_type": {"like": f"aiida.{group}:crucible.%"}} for group in ("workflows", "calculations")]}
    query = QueryBuilder().append(Group, filters={"description": GROUP_DESCRIPTION}, tag="group")
    query.append(ProcessNode, with_group="group", filters=ours, project=["id", "process_type"])
    found = query.all() or QueryBuilder().append(ProcessNode, filters=ours, project=["id", "process_type"]).all()
    below = QueryBuilder().append(ProcessNode, filters=ours, tag="caller")
    below.append(ProcessNode, with_incoming="caller", project="id")
    called = set(below.all(flat=True))
    chosen = [pk for pk, process_type in found if pk not in called and kind_of_type(process_type) in KINDS]
    if not chosen:
        return []
    nodes = QueryBuilder().append(ProcessNode, filters={"id": {"in": chosen}}, project=["ctime", "uuid", "*"]).all()
    return [node for *_, node in sorted(nodes, key=lambda row: row[:2]) if _is_reportable(node)]


def _is_reportable(node: ProcessNode) -> bool:
    try:
        require_reportable(node)
    except ValueError:
        return False
    return True


def entry_of(node: ProcessNode, archive: str) -> tuple[Entry, Finding]:
    """Return what the table says of a process, and what it found."""
    (finding,) = named_findings([node])
    verdict = finding.outputs.get("verdict")
    content: Mapping[str, Any] = verdict.get_dict() if isinstance(verdict, Dict) else {}
    model, structure = finding.model, finding.structure
    up_to, length = content.get("up_to"), content.get("duration")
    entry = Entry(
        key=node.uuid,
        material=finding.subject,
        elements=sorted(structure.get_symbols_set()) if structure is not None else [],
        model=finding.name,
        family="" if model is None else model.family,
        functional="" if model is None else str(model.functional or ""),
        kind=KINDS[finding.kind],
        trusted=str(content.get("trusted", WITHOUT_VERDICT)),
        headline=str(content.get("headline", "")),
        up_to=None if up_to is None else float(up_to),
        length=None if length is None else float(length),
        protocol=str(node.base.extras.get("crucible_protocol", "")),
        archive=archive,
    )
    return entry, finding

"""The report, its figures and the maps of an export, made anew from the nodes of its archive."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiida.orm import ProcessNode, load_node

from aiida_crucible.publishing.checks.outcome import Outcome, described
from aiida_crucible.publishing.closure import Closure, collect
from aiida_crucible.publishing.export import REPORT, WriteReport, maps_of, write_report_of
from aiida_crucible.publishing.files import files_of
from aiida_crucible.publishing.privacy import find_private
from aiida_crucible.publishing.record import software
from aiida_crucible.references.plain_yaml import read_yaml

DRAWS = ("aiida-crucible", "matplotlib", "numpy")
"""Whose versions change the bytes of a figure."""
FIGURES = f"{Path(REPORT).stem}-figures/"


def check_report(folder: Path | None, write_report: WriteReport | None = None) -> Outcome:
    """Check that the report, its figures and the maps come out again byte for byte."""
    outcome = Outcome("the report and its figures come out again")
    if folder is None:
        outcome.unchecked["an archive alone has none"] += 1
        return outcome
    try:
        metadata = _metadata(folder)
        processes = [load_node(each["uuid"]) for each in metadata["processes"]]
        closure = collect([node for node in processes if isinstance(node, ProcessNode)])
    except Exception as error:
        outcome.differences.append(f"metadata.yaml: it does not tell whose report it is ({described(error)})")
        return outcome
    present = {
        name
        for name in files_of(folder)
        if name == REPORT or name.startswith(FIGURES) or name.endswith(".chemiscope.json")
    }
    with tempfile.TemporaryDirectory() as place:
        try:
            fresh = _made_anew(closure, Path(place), write_report)
        except Exception as error:
            outcome.unchecked[f"it cannot be made anew ({described(error)})"] += max(len(present), 1)
            return outcome
    others = _other_versions(metadata)
    for name in sorted({*present, *fresh}):
        difference = _difference(folder, name, fresh.get(name), name in present)
        if difference is not None and others and name in present and name in fresh:
            outcome.unchecked[f"drawn with {', '.join(others)}"] += 1
        else:
            outcome.judge(difference)
    return outcome


def _metadata(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = read_yaml(folder / "metadata.yaml")
    return content


def _made_anew(closure: Closure, place: Path, write_report: WriteReport | None) -> dict[str, bytes]:
    """Return the files that an export has of processes, by name."""
    found, written = maps_of(closure), []
    with suppress(ValueError):  # what has failed early has no report
        written = write_report_of(closure.processes, place, find_private(closure), write_report)
    for path in written:
        found[path.relative_to(place).as_posix()] = path.read_bytes()
    return found


def _difference(folder: Path, name: str, fresh: bytes | None, is_there: bool) -> str | None:
    if fresh is None:
        return f"{name}: the nodes give no such file"
    if not is_there:
        return f"{name}: the nodes give this file, and it is missing"
    stored = (folder / name).read_bytes()
    return (
        None if stored == fresh else f"{name}: {len(stored)} bytes that are not the {len(fresh)} which the nodes give"
    )


def _other_versions(metadata: Mapping[str, Any]) -> Sequence[str]:
    """Return what drew the figures where it was another version than today's."""
    then, now = metadata.get("software") or {}, software()
    return [f"{name} {then.get(name)}, this is {now.get(name)}" for name in DRAWS if then.get(name) != now.get(name)]

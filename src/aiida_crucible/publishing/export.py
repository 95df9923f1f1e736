"""An export: a folder, and a zip file of it, that an archive of research data takes as they are."""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiida.orm import CalcFunctionNode, ProcessNode, SinglefileData

from aiida_crucible.publishing import record
from aiida_crucible.publishing.archive import write_archive
from aiida_crucible.publishing.closure import Closure, collect
from aiida_crucible.publishing.environments import environments_of
from aiida_crucible.publishing.files import (
    MANIFEST,
    files_of,
    new_folder,
    require_new,
    write_manifest,
    write_zip,
    zip_of,
)
from aiida_crucible.publishing.privacy import Findings, find_private
from aiida_crucible.publishing.publication import Publication, as_yaml
from aiida_crucible.publishing.readme import as_records, readme
from aiida_crucible.publishing.weights import LeftOut, to_leave_out
from crucible_engine.wire.rules import as_line, first_line

WriteReport = Callable[[Sequence[ProcessNode], Path], list[Path]]

REPORT = "report.html"
TEXTS = (".csv", ".html", ".json", ".md", ".svg", ".txt")
"""Files of a report that are searched for what is private."""
MAPS = "aiida.calculations:crucible.draw_configuration_space"
FORMAT = 1
"""Of the folder: raise it when a reader has to tell it from an older one."""


@dataclass(frozen=True)
class Prepared:
    """What is to be exported, looked through but not written.

    :param closure: the processes and all that travels with them.
    :param private: what of it tells of people and machines.
    :param left_out: weights that may not travel.
    """

    closure: Closure
    private: Findings
    left_out: tuple[LeftOut, ...]


def prepare(processes: Sequence[ProcessNode], include_unknown: bool = False) -> Prepared:
    """Return processes with what there is to say of them before anything is written.

    :param include_unknown: whether weights of which no licence is known travel.
    :raises ValueError: one line, if a process runs, or is none of this package.
    """
    closure = collect(processes)
    return Prepared(closure, find_private(closure), tuple(to_leave_out(closure.models, include_unknown)))


def complete(publication: Publication, prepared: Prepared) -> Publication:
    """Return a publication with what the provenance adds: keywords, references; abstract and methods if missing."""
    closure, private = prepared.closure, prepared.private
    added = Publication(
        description=private.scrub(record.description_of(closure)), methods=private.scrub(record.methods_of(closure))
    )
    keywords = (*publication.keywords, *record.keywords_of(closure))
    references = (*publication.references, *record.references_of(closure))
    return replace(
        publication.over(added),
        keywords=tuple(dict.fromkeys(keywords)),
        references=tuple(dict.fromkeys(references)),
    )


def write_export(
    prepared: Prepared, publication: Publication, target: Path, write_report: WriteReport | None = None
) -> list[Path]:
    """Write an export, whole or not at all, and return the folder and the zip file.

    :param prepared: see :func:`prepare`.
    :param publication: with at least a title, authors and a licence.
    :param target: the folder, empty or not there.
    :param write_report: what writes the report; by default that of ``aiida-crucible report``.
    :raises ValueError: one line, if the target holds something already.
    """
    require_new(target)
    target = target.absolute()
    unfinished = target.parent / f".{target.name}.{secrets.token_hex(4)}.zip.unfinished"
    try:
        with new_folder(target) as folder:
            _fill(folder, target.name, prepared, complete(publication, prepared), write_report)
            write_zip(folder, unfinished, target.name)
        os.replace(unfinished, zip_of(target))  # noqa: PTH105
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # the command says so
        raise ValueError(f"{target} cannot be written: {first_line(error)}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return [target, zip_of(target)]


def _fill(
    folder: Path, name: str, prepared: Prepared, publication: Publication, write_report: WriteReport | None
) -> None:
    closure, private = prepared.closure, prepared.private
    archive = f"{name}.aiida"
    write_archive(closure, folder / archive, name, prepared.left_out)
    try:
        without_report = []
        write_report_of(closure.processes, folder, private, write_report)
    except ValueError as error:  # what has failed early may have nothing to show
        without_report = [f"There is no report: {private.scrub(as_line(first_line(error)))}."]
    for title, drawn in maps_of(closure).items():
        (folder / title).write_bytes(drawn)
    (folder / "environments").mkdir()
    for environment in environments_of(closure):
        for title, text in environment.files().items():
            (folder / "environments" / title).write_text(private.scrub(text), encoding="utf-8")
    content = _metadata(prepared, publication, archive)
    (folder / "metadata.yaml").write_text(as_yaml(content), encoding="utf-8")
    (folder / "metadata.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    names = sorted({*files_of(folder), "README.md", MANIFEST})
    processes = [(node.pk, node.uuid, private.scrub(_title(node))) for node in closure.processes]
    failed = [f"{private.scrub(line)}: what it did until then is in the archive." for line in closure.failures()]
    notes = [*failed, *without_report]
    page = readme(publication, names, archive, processes=processes, left_out=prepared.left_out, notes=notes)
    (folder / "README.md").write_text(page, encoding="utf-8")
    write_manifest(folder)


def write_report_of(
    processes: Sequence[ProcessNode], folder: Path, private: Findings, write_report: WriteReport | None = None
) -> list[Path]:
    """Write the report of processes into a folder, without what is private, and return its files.

    :raises ValueError: one line, if no process has anything to show in one.
    """
    if write_report is None:
        from aiida_crucible.report.write import write_report as written_by_default

        write_report = written_by_default
    try:
        paths = write_report(processes, folder / REPORT)
    except ValueError:  # one of them has nothing to show, as what has failed early
        sound = [node for node in processes if node.is_finished_ok]
        if not sound or len(sound) == len(processes):
            raise
        return write_report_of(sound, folder, private, write_report)
    for path in paths:
        if path.is_file() and path.suffix in TEXTS:
            text = path.read_text(encoding="utf-8")
            path.write_text(private.scrub(text), encoding="utf-8")
    return [path for path in paths if path.is_file()]


def maps_of(closure: Closure) -> dict[str, bytes]:
    """Return the chemiscope files of maps by name: the archive opens those whose names end like this."""
    drawn = [node for node in closure.nodes(CalcFunctionNode) if node.process_type == MAPS]
    found: dict[str, bytes] = {}
    for node in drawn:
        made = node.base.links.get_outgoing(node_class=SinglefileData, link_label_filter="chemiscope").all_nodes()
        for each in made:
            number = f"-{len(found) + 1}" if found else ""
            found[f"configuration_space{number}.chemiscope.json"] = each.get_content(mode="rb")
    return found


def _metadata(prepared: Prepared, publication: Publication, archive: str) -> dict[str, Any]:
    closure, private = prepared.closure, prepared.private
    return {
        **publication.as_dict(),
        "format": FORMAT,
        "archive": archive,
        "processes": [{"uuid": node.uuid, "title": private.scrub(_title(node))} for node in closure.processes],
        "verdicts": [private.scrub(line) for line in record.headlines(closure)],
        "software": record.software(),
        **({"weights_left_out": as_records(prepared.left_out)} if prepared.left_out else {}),
    }


def _title(node: ProcessNode) -> str:
    return f"{node.process_label}: {node.label}" if node.label else str(node.process_label)

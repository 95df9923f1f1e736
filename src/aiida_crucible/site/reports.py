"""Writes the pages of the archives of a site, of several at once where there are cores for it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from aiida_crucible.compat.aiida_archive import archive_as_profile
from aiida_crucible.nodes.bounds import read_bounded
from aiida_crucible.publishing.opening import opened
from aiida_crucible.publishing.publication import LARGEST_METADATA
from aiida_crucible.references.plain_yaml import parse_yaml
from aiida_crucible.report.garbage import collect_rarely, collecting_rarely
from aiida_crucible.report.page.render import render
from aiida_crucible.report.write import page_of
from aiida_crucible.site.entries import Entry, entry_of, reportable_processes
from aiida_crucible.site.table import Source
from crucible_engine.families.weights import digest

PLOTLY = "plotly.min.js"
METADATA = "metadata.yaml"
FEWEST = 6
"""Archives from which on it pays to start processes, each of which takes seconds to start."""
MOST_PROCESSES = 8


@dataclass(frozen=True)
class ArchiveReports:
    """What one archive holds.

    :param source: the archive.
    :param entries: of its processes, whose pages have been written.
    """

    source: Source
    entries: Sequence[Entry]


def write_all(archives: Sequence[Path], folders: Sequence[Path], n_processes: int) -> Iterator[ArchiveReports]:
    """Write the pages of archives and yield what each holds, in their order.

    :param folders: where to, one an archive; they do not exist yet.
    :param n_processes: at once; with one, none is started.
    :raises ValueError: one line, if an archive is none, or has no process to report.
    """
    if n_processes == 1 or len(archives) < FEWEST:
        with collecting_rarely():
            yield from map(write_reports, archives, folders)
        return
    # Not by a fork, which would share the connections to a database and the threads of those who call this.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(n_processes, len(archives)), context, initializer=_begin)
    try:
        yield from pool.map(write_reports, archives, folders)
    finally:
        pool.shutdown(cancel_futures=True)


def write_reports(archive: Path, folder: Path) -> ArchiveReports:
    """Write a page of each process of an archive that is reported, named by its UUID.

    :raises ValueError: one line, if the archive is none, or has no process to report.
    """
    folder.mkdir(parents=True)
    with opened(archive) as export:
        source = Source(archive.name, digest(export.archive), _about(export.folder))
        entries = []
        with archive_as_profile(export.archive):
            for node in reportable_processes():
                entry, finding = entry_of(node, archive.name)
                page = render(page_of([finding]), plotly=f"../{PLOTLY}", home="../index.html")
                (folder / f"{entry.key}.html").write_text(page, encoding="utf-8")
                entries.append(entry)
    if not entries:
        raise ValueError(f"{archive} holds no process of aiida-crucible to report: leave it out")
    return ArchiveReports(source, entries)


def processes_at_once() -> int:
    """Return how many processes this machine has cores for, up to :data:`MOST_PROCESSES`."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_PROCESSES)


def _begin() -> None:
    """Begin a process: the one that started it is told of an interrupt, and ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    collect_rarely()


def _about(folder: Path | None) -> dict[str, str]:
    """Return title, authors and licence that an export names; empty where there are none."""
    if folder is None or not (folder / METADATA).is_file():
        return {}
    with (folder / METADATA).open("rb") as stream:
        content = parse_yaml(read_bounded(stream, LARGEST_METADATA))
    if not isinstance(content, dict):
        return {}
    authors = [each.get("name", "") if isinstance(each, dict) else str(each) for each in content.get("authors") or []]
    told = {"title": content.get("title"), "authors": ", ".join(map(str, authors)), "licence": content.get("licence")}
    return {name: str(value) for name, value in told.items() if value}

"""Builds a site from archives alone: a page for each process that is reported, and a table of all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from aiida_crucible.compat.aiida_archive import archive_as_profile
from aiida_crucible.nodes.bounds import read_bounded
from aiida_crucible.publishing.opening import opened
from aiida_crucible.publishing.publication import LARGEST_METADATA
from aiida_crucible.references.plain_yaml import parse_yaml
from aiida_crucible.report.page.render import is_page, render
from aiida_crucible.report.write import page_of
from aiida_crucible.site.entries import Entry, entry_of, reportable_processes
from aiida_crucible.site.table import Source, first_page
from crucible_engine.families.weights import digest

PLOTLY = "plotly.min.js"
METADATA = "metadata.yaml"


def build_site(
    archives: Sequence[Path], folder: Path, title: str, tell: Callable[[str], None] = lambda line: None
) -> list[Entry]:
    """Write the pages of a site; the same archives always give the same bytes, in whatever order they are named.

    :param archives: exports or AiiDA archives, which are looked at and not imported.
    :param folder: where; pages of an earlier site there are exchanged once the new ones are complete, and whatever else
        lies beside them (``.git``, ``CNAME``) stays.
    :param title: of the first page.
    :param tell: called with what is being done.
    :return: what the table has, in its order of archives.
    :raises ValueError: one line, if an archive is none, or none has a process to report.
    """
    _require_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    entries: dict[str, Entry] = {}
    sources: list[Source] = []
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        place = Path(scratch) / "site"
        (place / "reports").mkdir(parents=True)
        for number, archive in enumerate(sorted(archives, key=lambda path: (path.name, str(path)))):
            tell(f"{archive.name} ({number + 1} of {len(archives)})")
            with opened(archive) as export:
                sources.append(Source(archive.name, digest(export.archive), _about(export.folder)))
                with archive_as_profile(export.archive):
                    found = _write_reports(archive.name, place, entries)
            if not found:
                raise ValueError(f"{archive} holds no process of aiida-crucible to report: leave it out")
        (place / PLOTLY).write_bytes(resources.files("plotly").joinpath("package_data", PLOTLY).read_bytes())
        ordered = list(entries.values())
        (place / "index.html").write_text(first_page(title, ordered, sources), encoding="utf-8")
        _exchange(place, folder)
    return ordered


def _exchange(place: Path, folder: Path) -> None:
    """Put a site where an earlier one may be."""
    (folder / "reports").mkdir(parents=True, exist_ok=True)
    for page in (folder / "reports").iterdir():
        if page.suffix == ".html" and is_page(page):
            page.unlink()
    for file in sorted(each for each in place.rglob("*") if each.is_file()):
        file.replace(folder / file.relative_to(place))


def _write_reports(archive: str, place: Path, entries: dict[str, Entry]) -> int:
    """Write the reports of the archive that is loaded, each process once; return how many it has."""
    nodes = reportable_processes()
    for node in nodes:
        if node.uuid not in entries:
            entry, finding = entry_of(node, archive)
            page = render(page_of([finding]), plotly=f"../{PLOTLY}", home="../index.html")
            (place / "reports" / f"{entry.key}.html").write_text(page, encoding="utf-8")
            entries[node.uuid] = entry
    return len(nodes)


def _require_free(folder: Path) -> None:
    """Refuse a folder that holds something else than a site.

    :raises ValueError: one line.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ValueError(f"{folder} is a file: name a folder for the site")
    index = folder / "index.html"
    is_site = index.is_file() and is_page(index)
    if not is_site and any(not each.name.startswith(".") for each in folder.iterdir()):
        raise ValueError(f"{folder} is not empty and holds no site: name another folder")


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

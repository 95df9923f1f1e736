"""Builds a site from archives alone: a page for each process that is reported, and a table of all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from aiida_crucible.report.page.render import is_page
from aiida_crucible.site.entries import Entry
from aiida_crucible.site.reports import PLOTLY, write_all
from aiida_crucible.site.table import Source, first_page


def build_site(
    archives: Sequence[Path],
    folder: Path,
    title: str,
    tell: Callable[[str], None] = lambda line: None,
    n_processes: int = 1,
) -> list[Entry]:
    """Write the pages of a site; the same archives always give the same bytes, in whatever order they are named.

    :param archives: exports or AiiDA archives, which are looked at and not imported.
    :param folder: where; pages of an earlier site there are exchanged once the new ones are complete, and whatever else
        lies beside them (``.git``, ``CNAME``) stays.
    :param title: of the first page.
    :param tell: called with what is done.
    :param n_processes: archives that are read at once, each by a process that imports the calling script: more than
        one only where that is guarded by ``if __name__ == "__main__"``.
    :return: what the table has, in its order of archives.
    :raises ValueError: one line, if an archive is none, or none has a process to report.
    """
    _require_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    entries: dict[str, Entry] = {}
    sources: list[Source] = []
    ordered = sorted(archives, key=lambda path: (path.name, str(path)))
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        place = Path(scratch) / "site"
        (place / "reports").mkdir(parents=True)
        written = [Path(scratch) / str(number) for number in range(len(ordered))]
        for pages, found in zip(written, write_all(ordered, written, n_processes), strict=True):
            sources.append(found.source)
            tell(f"{found.source.name} ({len(sources)} of {len(ordered)})")
            for entry in found.entries:
                # What stands in two archives is that of the first.
                if entries.setdefault(entry.key, entry) is entry:
                    (pages / f"{entry.key}.html").replace(place / "reports" / f"{entry.key}.html")
        (place / PLOTLY).write_bytes(resources.files("plotly").joinpath("package_data", PLOTLY).read_bytes())
        (place / "index.html").write_text(first_page(title, list(entries.values()), sources), encoding="utf-8")
        _exchange(place, folder)
    return list(entries.values())


def _exchange(place: Path, folder: Path) -> None:
    """Put a site where an earlier one may be."""
    (folder / "reports").mkdir(parents=True, exist_ok=True)
    for page in (folder / "reports").iterdir():
        if page.suffix == ".html" and is_page(page):
            page.unlink()
    for file in sorted(each for each in place.rglob("*") if each.is_file()):
        file.replace(folder / file.relative_to(place))


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

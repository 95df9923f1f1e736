"""A report: one page of stored processes, and its figures as files beside it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from aiida.orm import ProcessNode

from aiida_crucible.report.charts.files import save
from aiida_crucible.report.findings import Finding, named_findings
from aiida_crucible.report.garbage import collecting_rarely
from aiida_crucible.report.page.document import Page
from aiida_crucible.report.page.render import is_page, render
from aiida_crucible.report.sections import SECTIONS
from aiida_crucible.report.sections.answer import title_of_page


def page_of(findings: Sequence[Finding]) -> Page:
    """Return the page of what processes found."""
    sections = [section for make in SECTIONS if (section := make(findings)) is not None]
    times = sorted(finding.node.ctime for finding in findings)
    when = (
        f"{times[0]:%-d %B %Y}"
        if times[0].date() == times[-1].date()
        else f"{times[0]:%-d %B} to {times[-1]:%-d %B %Y}"
    )
    nodes = ", ".join(finding.node.uuid[:8] for finding in findings)
    return Page(title_of_page(findings), f"Computed on {when} · {_protocols(findings)}nodes {nodes}", sections)


def write_report(nodes: Sequence[ProcessNode], path: Path) -> list[Path]:
    """Write a page of processes, and a folder beside it with its figures as PNG, SVG, PDF and CSV.

    The same nodes always give the same bytes. Nothing is left behind where it fails in the middle, and nothing but an
    earlier page and files of the figures' names is overwritten.

    :param nodes: that have ended, in the order in which they stand on the page.
    :param path: of the page; the folder has its name with ``-figures``.
    :return: the files.
    :raises ValueError: one line, if a node is none of ours, still runs or has nothing to show, or the path is taken.
    :raises OSError: if it cannot be written.
    """
    check_path(path)
    findings = named_findings(nodes)
    with collecting_rarely():
        # Within a transaction, what was read of a node is not read again for each word of it.
        with nodes[0].backend.transaction():
            page = page_of(findings)
        return _write_files(page, path)


def _write_files(page: Page, path: Path) -> list[Path]:
    folder = path.with_name(f"{path.stem}-figures")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as scratch:
        figures = Path(scratch) / "figures"
        figures.mkdir()
        pictures: dict[str, bytes] = {}
        for chart in page.charts():
            save(chart, figures, pictures)
        written = Path(scratch) / "page.html"
        written.write_text(render(page, pictures), encoding="utf-8")
        files = [folder / figure.name for figure in sorted(figures.iterdir())]
        if files:
            folder.mkdir(exist_ok=True)
        for file in files:
            (figures / file.name).replace(file)
        written.replace(path)
    return [path, *files]


def check_path(path: Path) -> None:
    """Refuse a path at which no page can be written, before anything is computed.

    :raises ValueError: one line, if it names no HTML file, or one that is not a page of ours.
    """
    if path.suffix not in (".html", ".htm"):
        raise ValueError(f"{path}: the page is HTML, name it FILE.html")
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name a file for the page")
    if path.exists() and not is_page(path):
        raise ValueError(f"{path} is there and no page of aiida-crucible: name another file")


def _protocols(findings: Sequence[Finding]) -> str:
    names = dict.fromkeys(str(finding.node.base.extras.get("crucible_protocol", "")) for finding in findings)
    known = [name for name in names if name]
    return f"protocol {', '.join(known)} · " if known else ""

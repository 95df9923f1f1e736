"""The README of an export: what each file is, its format, and what to do with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from aiida_crucible.publishing.files import MANIFEST
from aiida_crucible.publishing.publication import Author, Publication
from aiida_crucible.publishing.weights import LeftOut

PROJECT = "https://github.com/aiida-crucible/aiida-crucible"

FORMATS = {
    ".aiida": "AiiDA archive (zip with SQLite)",
    ".html": "HTML",
    ".md": "Markdown",
    ".yaml": "YAML",
    ".json": "JSON",
    ".csv": "comma-separated values",
    ".png": "PNG",
    ".svg": "SVG",
    ".pdf": "PDF",
    ".txt": "text",
    ".sha256": "text, as `sha256sum` writes it",
}

LEFT_OUT = """\
The archive opens and imports without them, and `check` tells that they are missing. A model's node holds a few lines in
their place, and a run with it is refused in one line. To run again, get the file (its sha256 is below), and

```console
aiida-crucible model add FAMILY FILE
```

makes a node of the same potential that holds it.
"""


NAMED = {
    "README.md": "this page",
    "metadata.yaml": "title, authors, licence, keywords, references, methods, versions of the software",
    "metadata.json": "the same for programs",
    MANIFEST: "checksums of all other files",
    "report.html": "the report: verdicts, their reasons, tables, figures",
}
ENDING = {
    ".aiida": "all inputs, outputs, models and environments of the calculations, with their provenance",
    ".chemiscope.json": "map of configurations, for https://chemiscope.org",
    ".lock.txt": "lock of an environment, with the hash of each file",
    ".packages.txt": "packages of an environment that ran",
    ".csv": "numbers of the figure {figure}",
    ".png": "figure {figure}",
    ".svg": "figure {figure}",
    ".pdf": "figure {figure}",
}


def describe(name: str) -> str:
    """Return what a file of an export is, from its path."""
    if name in NAMED:
        return NAMED[name]
    what = next((text for ending, text in ENDING.items() if name.endswith(ending)), "part of the report")
    return what.format(figure=re.sub("[_-]", " ", PurePosixPath(name).stem))


def readme(
    publication: Publication,
    files: Sequence[str],
    archive: str,
    *,
    processes: Sequence[tuple[int, str, str]],
    left_out: Sequence[LeftOut],
    notes: Sequence[str] = (),
) -> str:
    """Return the README.

    :param publication: of the record.
    :param files: paths of all files of the export.
    :param archive: name of the AiiDA archive.
    :param processes: PK in the archive, UUID and title of each process that was asked for.
    :param left_out: weights that are not in the archive.
    :param notes: what else a reader has to know, one sentence each.
    """
    table = [f"| `{name}` | {FORMATS.get(PurePosixPath(name).suffix, 'file')} | {describe(name)} |" for name in files]
    lines = [
        f"# {publication.title}",
        "",
        "; ".join(_named(author) for author in publication.authors),
        "",
        publication.description,
        "",
        f"Licence: {publication.licence}.",
        *(f"\n{note}" for note in notes),
        "",
        "## Contents",
        "",
        "| file | format | what it is |",
        "|---|---|---|",
        *table,
        "",
        "## Processes",
        "",
        "| UUID | process |",
        "|---|---|",
        *(f"| `{uuid}` | {title} |" for _, uuid, title in processes),
        "",
        "## How to use it",
        "",
        f"You need Python 3.10 or newer and aiida-crucible ({PROJECT}), but no model package.",
        "",
        "Find out whether all is as it was written, and whether the numbers follow from their inputs, without "
        "importing anything:",
        "",
        "```console",
        "aiida-crucible check .",
        "```",
        "",
        "Import the calculations into your AiiDA profile, look at one, and write its report anew:",
        "",
        "```console",
        f"verdi archive import {archive}",
        f"verdi process show {processes[0][1]}",
        f"aiida-crucible report {processes[0][1]}",
        "```",
        "",
        f"`sha256sum -c {MANIFEST}` checks the files without any of this.",
        *_about_weights(left_out),
        "",
        "## Methods",
        "",
        publication.methods,
        "",
        "## References",
        "",
        *(f"- {reference}" for reference in publication.references),
        "",
    ]
    return "\n".join(lines)


def _named(author: Author) -> str:
    words = [author.name, author.affiliation, f"ORCID {author.orcid}" if author.orcid else ""]
    return ", ".join(word for word in words if word)


def _about_weights(left_out: Sequence[LeftOut]) -> list[str]:
    if not left_out:
        return []
    rows = [f"| {each.title} | `{each.sha256}` | {each.size} | {each.reason} |" for each in left_out]
    table = ["| model | sha256 of its file | bytes | why |", "|---|---|---|---|", *rows]
    return ["", "## Weights that are not in the archive", "", *table, "", LEFT_OUT.rstrip()]


def as_records(left_out: Sequence[LeftOut]) -> list[Mapping[str, object]]:
    """Return what the metadata say of weights that are not in the archive."""
    return [
        {"title": each.title, "family": each.family, "sha256": each.sha256, "size": each.size, "licence": each.licence}
        for each in left_out
    ]

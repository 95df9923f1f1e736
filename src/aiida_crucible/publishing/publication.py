"""What an archive of research data asks of a record: title, authors, licence, keywords, references, methods."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from aiida_crucible.nodes.file_digest import is_file, missing_file
from aiida_crucible.references.plain_yaml import read_yaml
from crucible_engine.wire.rules import shown, suggestion
from crucible_engine.wire.value_types import require_fields

LICENCES = (
    "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0", "CC-BY-NC-ND-4.0", "CC0-1.0",
    "MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "GPL-3.0-only", "GPL-3.0-or-later", "LGPL-3.0-only",
    "LGPL-3.0-or-later", "MPL-2.0", "ODbL-1.0", "ODC-By-1.0", "PDDL-1.0",
)  # fmt: skip
"""SPDX identifiers; another one is given as ``LicenseRef-NAME``."""
DEFAULT_LICENCE = "CC-BY-4.0"

AUTHOR_HELP = "'NAME; AFFILIATION; ORCID', the last two as far as there are"
ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]")
KEPT = ("authors", "licence", "keywords", "references")
"""What the next export is likely to share with this one."""
LARGEST_METADATA = 2**20


@dataclass(frozen=True)
class Author:
    """Who made a record.

    :param name: given name and surname.
    :param affiliation: institute, university, place.
    :param orcid: sixteen digits, ``0000-0002-1825-0097``.
    """

    name: str
    affiliation: str = ""
    orcid: str = ""

    @classmethod
    def parse(cls, text: str) -> Author:
        """Return the author that ``NAME; AFFILIATION; ORCID`` names.

        :raises ValueError: one line.
        """
        parts = [part.strip() for part in text.split(";")]
        orcids = [part.removeprefix("https://orcid.org/") for part in parts if ORCID.search(part)]
        others = [part for part in parts if not ORCID.search(part)]
        if not others or not others[0] or len(others) > 2 or len(orcids) > 1:
            raise ValueError(f"{shown(text)} is no author: give {AUTHOR_HELP}")
        return cls(others[0], "".join(others[1:]), check_orcid(orcids[0]) if orcids else "")


def check_orcid(orcid: str) -> str:
    """Return an ORCID iD whose last digit is right (ISO 7064, MOD 11-2).

    :raises ValueError: one line, if it is none.
    """
    total = 0
    for digit in re.sub("[^0-9]", "", orcid[:-1]):
        total = (total + int(digit)) * 2
    last = (12 - total % 11) % 11
    if not ORCID.fullmatch(orcid) or orcid[-1] != ("X" if last == 10 else str(last)):
        raise ValueError(
            f"{shown(orcid)} is no ORCID iD (its last digit tells): give the one that orcid.org/my-orcid shows"
        )
    return orcid


@dataclass(frozen=True)
class Publication:
    """A record.

    :param title: of the record.
    :param authors: in their order.
    :param licence: SPDX identifier.
    :param description: an abstract; written from the verdicts where it is left out.
    :param keywords: those of the author; the models' and methods' are added.
    :param references: DOIs or citations; those of the models are added.
    :param methods: how it was computed; written from the provenance where it is left out.
    """

    title: str = ""
    authors: tuple[Author, ...] = ()
    licence: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    methods: str = ""

    def __post_init__(self) -> None:
        if self.licence and self.licence not in LICENCES and not re.fullmatch(r"LicenseRef-[\w.-]+", self.licence):
            raise ValueError(
                f"licence {shown(self.licence)} is unknown: {suggestion(self.licence, list(LICENCES))} "
                "(an SPDX identifier, or LicenseRef-NAME)"
            )
        for name in ("title", "licence"):
            if "\n" in getattr(self, name):
                raise ValueError(f"the {name} has several lines: give one")

    def missing(self) -> list[str]:
        """Return the fields that a record cannot do without."""
        return [name for name in ("title", "authors", "licence") if not getattr(self, name)]

    def over(self, other: Publication) -> Publication:
        """Return this publication, with what it leaves open taken from another."""
        empty = {each.name: getattr(other, each.name) for each in fields(self) if not getattr(self, each.name)}
        return replace(self, **empty)

    def as_dict(self) -> dict[str, Any]:
        """Return plain content, without what is empty."""
        content = asdict(self)
        content["authors"] = [{key: value for key, value in one.items() if value} for one in content["authors"]]
        return {key: list(value) if isinstance(value, tuple) else value for key, value in content.items() if value}


@dataclass
class _Fields:
    """What a file may hold, see :class:`Publication`."""

    title: str = ""
    authors: list[Any] = field(default_factory=list)
    licence: str = ""
    license: str = ""
    description: str = ""
    keywords: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    methods: str = ""


def from_content(content: Any) -> Publication:
    """Return the publication that plain content describes.

    :raises ValueError: one line, if a field is unknown or of another type.
    """
    known = [each.name for each in fields(_Fields)]
    for name in content if isinstance(content, dict) else ():
        if name not in known:
            raise ValueError(f"there is no field {shown(name)}: {suggestion(str(name), known)}")
    require_fields(_Fields, content, "metadata")
    given = _Fields(**content)
    return Publication(
        title=given.title.strip(),
        authors=tuple(_author(each) for each in given.authors),
        licence=given.licence or given.license,
        description=given.description.strip(),
        keywords=tuple(given.keywords),
        references=tuple(given.references),
        methods=given.methods.strip(),
    )


def _author(content: Any) -> Author:
    if isinstance(content, str):
        return Author.parse(content)
    require_fields(Author, content, "author")
    author = Author(**content)
    return replace(author, orcid=check_orcid(author.orcid)) if author.orcid else author


def read_publication(path: Path) -> Publication:
    """Return the publication that a YAML or JSON file describes.

    :raises ValueError: one line that names the file.
    """
    if not is_file(path):
        raise ValueError(f"metadata: {missing_file(path)}")
    try:
        if path.stat().st_size > LARGEST_METADATA:
            raise ValueError(f"it has more than {LARGEST_METADATA} bytes: give a file of metadata")
        return from_content(read_yaml(path) or {})
    except (OSError, ValueError) as error:
        raise ValueError(f"metadata of {path}: {error}") from None


def kept_file() -> Path:
    """Return the file that keeps what exports of the loaded profile share, which may not exist."""
    from aiida.manage import get_manager
    from aiida.manage.configuration import get_config

    profile = get_manager().get_profile()
    assert profile is not None
    return Path(get_config().dirpath) / "crucible" / f"publication-{profile.uuid}.yaml"


def read_kept() -> Publication:
    """Return what was kept of the last export of this profile."""
    path = kept_file()
    return read_publication(path) if path.is_file() else Publication()


def keep(publication: Publication) -> Path:
    """Keep what the next export of this profile is likely to share, and return the file."""
    content = {name: value for name, value in publication.as_dict().items() if name in KEPT}
    path = kept_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_yaml(content), encoding="utf-8")
    return path


def as_yaml(content: Mapping[str, Any]) -> str:
    """Return plain content as YAML, in the order that it has."""
    return str(yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=100))


def missing_line(names: Iterable[str]) -> str:
    """Return one line on fields that are missing, and how to give them."""
    flags = {
        "title": "--title 'TITLE'",
        "authors": f"--author {AUTHOR_HELP}",
        "licence": f"--licence {DEFAULT_LICENCE}",
    }
    names = list(names)
    verb = "is" if names in (["title"], ["licence"]) else "are"
    return (
        f"{' and '.join(names)} of the record {verb} missing: give {', '.join(flags[name] for name in names)}, or "
        "--metadata FILE (YAML with title, authors, licence)"
    )

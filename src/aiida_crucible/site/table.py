"""The first page of a site: models beside each other, materials below each other, each cell a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from math import sqrt

from jinja2 import PackageLoader
from markupsafe import Markup

from aiida_crucible.report.page.render import asset, templates
from aiida_crucible.site.entries import WITHOUT_VERDICT, Entry

WORDS = {
    "yes": ("trusted", "good"),
    "no": ("wrong", "bad"),
    "cannot-tell": ("cannot tell", "open"),
    WITHOUT_VERDICT: ("report", "plain"),
}
"""What a cell says, and its tone."""


@dataclass(frozen=True)
class Source:
    """An archive of a site.

    :param name: of its file.
    :param sha256: of its bytes.
    :param about: what its metadata say, by name; empty where it has none.
    """

    name: str
    sha256: str
    about: Mapping[str, str]


def first_page(title: str, entries: Sequence[Entry], sources: Sequence[Source]) -> str:
    """Return the page as HTML, the same text for the same entries."""
    environment = templates(PackageLoader("aiida_crucible.site", "assets"))
    models = _ordered(entries)
    rows: dict[str, dict[str, list[Entry]]] = {}
    for entry in sorted(entries, key=lambda entry: (entry.material, entry.model, entry.kind, entry.key)):
        rows.setdefault(entry.material, {}).setdefault(entry.model, []).append(entry)
    return environment.get_template("site.html").render(
        title=title,
        models=models,
        rows=rows,
        counts={model: _counts(entries, model) for model in models},
        words=WORDS,
        sources=sources,
        n_entries=len(entries),
        style=Markup(asset("page.css") + _own("site.css")),
        script=Markup(_own("site.js")),
    )


def _ordered(entries: Sequence[Entry]) -> list[str]:
    """Return the models: first those of which most can be believed, then by name."""
    models = sorted({entry.model for entry in entries})
    return sorted(models, key=lambda model: (-believed_share(_counts(entries, model)), model))


def believed_share(counts: Mapping[str, int]) -> float:
    """Return the share of trusted materials among judged ones that so few at least show; 0 where none is judged.

    The lower end of the interval of 95 % confidence of Wilson, J. Am. Stat. Assoc. 22, 209 (1927): one material out of
    one is less than nine out of ten.
    """
    n_judged = counts["yes"] + counts["no"]
    if not n_judged:
        return 0.0
    share, z = counts["yes"] / n_judged, 1.96
    middle = share + z**2 / (2 * n_judged)
    spread = z * sqrt(share * (1 - share) / n_judged + (z / (2 * n_judged)) ** 2)
    return (middle - spread) / (1 + z**2 / n_judged)


def _counts(entries: Sequence[Entry], model: str) -> dict[str, int]:
    own = [entry.trusted for entry in entries if entry.model == model]
    return {name: own.count(name) for name in WORDS}


def _own(name: str) -> str:
    return resources.files("aiida_crucible.site").joinpath("assets", name).read_text(encoding="utf-8")

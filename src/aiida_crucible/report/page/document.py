"""What a page holds, apart from how it looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from aiida_crucible.report.charts.chart import Chart

Tone = Literal["good", "bad", "open", "plain"]
"""What a mark says: as it should be, wrong, not to be told, or nothing."""


@dataclass(frozen=True)
class Headline:
    """The answer in one line.

    :param mark: a word or two.
    :param tone: of the mark.
    :param text: the line.
    :param steps: what it would take to know more, a line each.
    """

    mark: str
    tone: Tone
    text: str
    steps: Sequence[str] = ()


@dataclass(frozen=True)
class Question:
    """One question with its answer.

    :param title: the question in a few words, or whole.
    :param mark: the answer, or what it says of the model.
    :param tone: of the mark.
    :param reason: in one line.
    :param expected: what was expected; empty if nothing was.
    :param evidence: the numbers behind it, by name.
    :param node: identifier of the node that holds them.
    """

    title: str
    mark: str
    tone: Tone
    reason: str
    expected: str = ""
    evidence: Mapping[str, Any] | None = None
    node: str = ""


@dataclass(frozen=True)
class Questions:
    """Questions of one subject.

    :param title: whose they are; empty where the page has one subject.
    """

    title: str
    items: Sequence[Question]


@dataclass(frozen=True)
class Comparison:
    """Marks of several subjects beside each other.

    :param subjects: the columns.
    :param rows: title of a line with a mark and its tone for each subject; ``None`` where it has none.
    """

    subjects: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[str, Tone] | None]]]


@dataclass(frozen=True)
class Table:
    """A table; numbers are given as text, as they shall be read.

    :param numeric: which columns are aligned to the right.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[int] = ()


@dataclass(frozen=True)
class Prose:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Listing:
    """Text to be copied: commands, BibTeX.

    :param title: what it is.
    :param file_name: under which it can be saved; empty if it cannot.
    """

    title: str
    text: str
    file_name: str = ""


@dataclass(frozen=True)
class Scene:
    """A structure to turn around.

    :param title: what it is.
    :param caption: size, composition.
    :param plot: what plotly takes, see :mod:`aiida_crucible.report.page.structure_scene`.
    :param picture: the same as an SVG, for paper.
    """

    title: str
    caption: str
    plot: Mapping[str, Any]
    picture: str


@dataclass(frozen=True)
class Graph:
    """A drawing made beforehand, as SVG.

    :param title: what it is.
    :param caption: how to read it.
    :param svg: with its own titles for those who point at it.
    """

    title: str
    caption: str
    svg: str


Block: TypeAlias = Chart | Comparison | Graph | Headline | Listing | Prose | Questions | Scene | Table


@dataclass(frozen=True)
class Section:
    """A part of a page.

    :param key: its anchor.
    :param title: above it and in the contents.
    :param blocks: from top to bottom.
    """

    key: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """All of it.

    :param title: what it is about.
    :param subtitle: when and by what it was made.
    :param sections: from top to bottom.
    """

    title: str
    subtitle: str
    sections: Sequence[Section]

    def charts(self) -> list[Chart]:
        """Return the figures in order."""
        return [block for section in self.sections for block in section.blocks if isinstance(block, Chart)]

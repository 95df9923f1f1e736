"""Tables that put computed numbers beside published ones, as aligned text, Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import tabulate

MISSING = "-"


@dataclass(frozen=True)
class Quantity:
    """One column of numbers.

    :param key: its name in the data, e.g. ``c_over_a``.
    :param symbol: its name for people, e.g. ``c/a``.
    :param unit: its unit for people; empty for a plain number.
    :param decimals: digits after the point that the published numbers have.
    """

    key: str
    symbol: str
    unit: str = ""
    decimals: int = 2

    @property
    def title(self) -> str:
        """Return the column's title, ``a (Å)``."""
        return f"{self.symbol} ({self.unit})" if self.unit else self.symbol


PTO_QUANTITIES = (
    Quantity("a", "a", "Å"),
    Quantity("c", "c", "Å"),
    Quantity("c_over_a", "c/a"),
    Quantity("delta_e", "ΔE", "eV/f.u."),
)
"""The columns of Table 2 of the PbTiO3 test (doi 10.1021/acs.jpcc.5c07541)."""


@dataclass(frozen=True)
class Comparison:
    """What one model gave, and what was published for it.

    :param model: its name for people.
    :param computed: quantity's key → value.
    :param published: the same of the publication; ``None`` where it has no such model.
    """

    model: str
    computed: Mapping[str, float]
    published: Mapping[str, float] | None = None


class Row(NamedTuple):
    """One line of a comparison.

    :param subject: whose numbers these are: a model, a functional, ``experiment``.
    :param origin: ``computed``, ``published`` or ``difference``.
    :param values: one a quantity, unrounded; ``None`` where there is none.
    """

    subject: str
    origin: str
    values: tuple[float | None, ...]


class ComparisonTable:
    """Three lines a model (computed, published, difference), then the references.

    :param comparisons: the models.
    :param references: what they are compared with besides, e.g. ``{"experiment": {"a": 3.90, "c": 4.15}}``.
    :param quantities: the columns.
    """

    def __init__(
        self,
        comparisons: Sequence[Comparison],
        references: Mapping[str, Mapping[str, float]],
        quantities: Sequence[Quantity] = PTO_QUANTITIES,
    ) -> None:
        self.quantities = quantities
        self.rows = [row for comparison in comparisons for row in self._compare(comparison)]
        self.rows += [self._row(subject, "published", values) for subject, values in references.items()]

    def to_text(self) -> str:
        """Return aligned text for a terminal."""
        return self._render("simple")

    def to_markdown(self) -> str:
        """Return a Markdown table."""
        return self._render("pipe")

    def to_csv(self) -> str:
        """Return comma-separated values: the quantities' keys as header, numbers unrounded, missing ones empty."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["subject", "origin", *(quantity.key for quantity in self.quantities)])
        writer.writerows([row.subject, row.origin, *row.values] for row in self.rows)
        return stream.getvalue()

    def _compare(self, comparison: Comparison) -> list[Row]:
        computed = self._row(comparison.model, "computed", comparison.computed)
        if comparison.published is None:
            return [computed]
        published = self._row(comparison.model, "published", comparison.published)
        difference = tuple(
            None if ours is None or theirs is None else ours - theirs
            for ours, theirs in zip(computed.values, published.values, strict=True)
        )
        return [computed, published, Row(comparison.model, "difference", difference)]

    def _row(self, subject: str, origin: str, values: Mapping[str, float]) -> Row:
        return Row(subject, origin, tuple(values.get(quantity.key) for quantity in self.quantities))

    def _render(self, style: str) -> str:
        previous, lines = None, []
        for row in self.rows:
            subject = "" if row.subject == previous else row.subject
            numbers = [
                _format(value, quantity, signed=row.origin == "difference")
                for value, quantity in zip(row.values, self.quantities, strict=True)
            ]
            lines.append([subject, row.origin, *numbers])
            previous = row.subject
        header = ["", "", *(quantity.title for quantity in self.quantities)]
        alignment = ("left", "left", *("right" for _ in self.quantities))
        return tabulate.tabulate(lines, header, tablefmt=style, disable_numparse=True, colalign=alignment)


def _format(value: float | None, quantity: Quantity, signed: bool) -> str:
    if value is None:
        return MISSING
    # A difference gets one digit more: it is then seen whether it is only the published number's rounding.
    return f"{value:+.{quantity.decimals + 1}f}" if signed else f"{value:.{quantity.decimals}f}"

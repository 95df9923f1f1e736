"""Lattice parameters of a relaxed crystal, beside what others find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aiida_crucible.report.charts.chart import COLOURS, MUTED, Axis, Bars, Chart, Level, Mark, Panel, by_number

TITLES = {
    "a": "a (Å)",
    "b": "b (Å)",
    "c": "c (Å)",
    "c_over_a": "c/a",
    "alpha": "α (°)",
    "beta": "β (°)",
    "gamma": "γ (°)",
    "volume": "volume (Å³ a formula unit)",
}
DECIMALS = {"alpha": 2, "beta": 2, "gamma": 2, "volume": 2}
MOST_BESIDE = 3
SAME = 1e-6
"""Relative difference below which two lengths are one by symmetry."""
PADDING = 0.35
"""Of the range of values, beyond its ends: bars begin near the values, whose differences are small."""


@dataclass(frozen=True)
class LatticeValues:
    """A lattice by one source.

    :param name: of the model, functional or experiment.
    :param values: by quantity (a, b, c in Å, c_over_a, angles in degrees, volume in Å³ a formula unit).
    :param is_computed: by this run; what is published elsewhere is drawn as an outline.
    """

    name: str
    values: Mapping[str, float]
    is_computed: bool


def lattice_chart(sources: Sequence[LatticeValues], truth: str | None, title: str = "") -> Chart | None:
    """Return a bar a source for each lattice parameter that is not fixed, with a line at the truth.

    :param sources: computed ones first.
    :param truth: name of the source that the others are compared with.
    :return: ``None`` where no quantity is known.
    """
    keys = [key for key in TITLES if _is_drawn(key, sources)]
    if not keys:
        return None
    true = next((source.values for source in sources if source.name == truth), {})
    panels = [_panel(key, sources, true.get(key)) for key in keys]
    compared = f" The dashed line is {truth}." if truth else ""
    caption = (
        "Lattice parameters of the relaxed crystal: filled bars are computed here, outlined ones are published."
        + compared
    )
    columns = 2 if len(panels) == 4 else min(MOST_BESIDE, len(panels))
    size = (7.6 / columns, 0.55 + 0.27 * len(sources))
    return Chart("lattice-parameters", title, caption, panels, columns, shares_y=True, size=size)


def _is_drawn(key: str, sources: Sequence[LatticeValues]) -> bool:
    """Return whether a quantity tells something: not what symmetry fixes in all of them."""
    own = [source.values for source in sources if key in source.values]
    if key in ("alpha", "beta", "gamma"):
        return any(min(abs(values[key] - fixed) for fixed in (60.0, 90.0, 120.0)) > 0.01 for values in own)
    if key in ("b", "c"):
        return any("a" not in values or abs(values[key] / values["a"] - 1) > SAME for values in own)
    if key == "c_over_a":
        return any(abs(values[key] - 1) > SAME for values in own)
    return bool(own)


def _panel(key: str, sources: Sequence[LatticeValues], truth: float | None) -> Panel:
    """Return the bars of one quantity; a source that does not know it keeps its line."""
    values = np.array([source.values.get(key, np.nan) for source in sources])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    margin = PADDING * max(high - low, 0.02 * abs(high))
    limits = (low - margin, high + 3.2 * margin)
    marks: list[Mark] = []
    for is_computed in (True, False):
        chosen = [
            number
            for number, source in enumerate(sources)
            if source.is_computed == is_computed and key in source.values
        ]
        if chosen:
            texts = [_told(key, values[number], truth if is_computed else None) for number in chosen]
            colours = [by_number(COLOURS, number) if is_computed else MUTED for number in chosen]
            names = [sources[number].name for number in chosen]
            marks.append(
                Bars(
                    "computed" if is_computed else "published", np.array(chosen, dtype=float), values[chosen], colours,
                    names, texts, base=limits[0], is_outlined=not is_computed, in_legend=False,
                )
            )  # fmt: skip
    if truth is not None:
        marks.append(Level("", "x", truth))
    ticks = [(float(number), source.name) for number, source in enumerate(sources)]
    return Panel(Axis(TITLES[key], limits), Axis("", (-0.6, len(sources) - 0.4), ticks, is_reversed=True), marks)


def _told(key: str, value: float, truth: float | None) -> str:
    text = f"{value:.{DECIMALS.get(key, 3)}f}"
    return text if truth is None else f"{text} ({100 * (value / truth - 1):+.1f} %)"

"""A benchmark: classes of stability by a model against those by a reference, and the scores behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.analysis.anharmonicity.combinations import REFERENCE
from aiida_crucible.analysis.benchmark.records import BenchmarkRow, Choice, choices_of, groups_of
from aiida_crucible.analysis.benchmark.stability_classes import BORDERS, CANNOT_TELL, Confusion, confusion
from aiida_crucible.report.charts.chart import (
    COLOURS,
    MARKERS,
    MUTED,
    Axis,
    Cells,
    Chart,
    Level,
    Mark,
    Panel,
    Series,
    Span,
    by_number,
)
from aiida_crucible.report.figures.points import point_style

ByModel = Mapping[str, Sequence[BenchmarkRow]]

LARGE_SIGMA = 3.0
"""Largest score that is drawn on a linear axis: above it the classes would have no room."""
MOST_BESIDE = 2
"""Confusion matrices in a line."""
SHADES = (COLOURS[0], COLOURS[4], COLOURS[1])
"""Behind the classes that both sides agree on."""


def confusion_chart(models: ByModel, name: str = "confusion") -> Chart | None:
    """Return the confusion matrix of each model (lines) and choice (columns): counts, and shares of the rows.

    Above each, the shares of all classed materials, and how many are in none of the classes. Where a side cannot
    tell of a material, that is a class of its own, without shares.
    """
    choices = _all_choices(models)
    if not choices:
        return None
    panels = []
    for model, rows in models.items():
        for choice in choices:
            both = [row for row in rows if row.difference(choice.label) is not None]
            by_reference, by_model = (
                [row.scores[label]["class"] for row in both] for label in (REFERENCE, choice.label)
            )
            matrix = confusion(by_reference, by_model)
            left_out = f"{matrix.undecided} undecided, {len(rows) - len(both)} without a score"
            title = f"{model}\n{pretty_choice(choice)}\n{_shares(matrix)}\n({left_out})"
            panels.append(Panel(Axis("by the model"), Axis("by the reference"), [_cells(matrix)], title))
    caption = (
        "Classes of stability by the model (columns) against those by the reference (rows): materials, and their share "
        "of the row. Over: taken for more stable than the reference does; under: for less."
    )
    columns = len(choices) if len(choices) in (1, 3) else MOST_BESIDE
    return Chart(name, "Classes of stability", caption, panels, columns, size=(3.6, 3.6))


def sigma_chart(models: ByModel, name: str = "sigma") -> Chart | None:
    """Return σ of the model against the reference's with standard errors, a panel a choice, coloured by group."""
    choices = _all_choices(models)
    groups = groups_of([row for rows in models.values() for row in rows])
    drawn = [
        (model, choice, both)
        for model, rows in models.items()
        for choice in choices
        if (both := [row for row in rows if row.difference(choice.label) is not None])
    ]
    if not drawn:
        return None
    scores = [row.sigma(label) for _, choice, both in drawn for row in both for label in (REFERENCE, choice.label)]
    values = np.array(scores, dtype=float)
    axis = _sigma_axis(values)
    panels = []
    for model, choice, both in drawn:
        marks = _borders(axis)
        for number, group in enumerate(groups):
            if own := [row for row in both if row.group == group]:
                marks.append(_points(own, choice, group, number, len(both)))
        title = f"{model} ({len(both)})\n{pretty_choice(choice)}"
        x = Axis("σ of the reference", axis.limits, is_logarithmic=axis.is_logarithmic)
        y = Axis("σ of the model", axis.limits, is_logarithmic=axis.is_logarithmic)
        panels.append(Panel(x, y, marks, title, is_square=True))
    caption = (
        "Anharmonicity σ by the model against that by the reference, with standard errors; dashed: the borders of the "
        "classes of stability, shaded where both agree; the diagonal is perfect agreement."
    )
    columns = max(1, min(3, len(choices), len(panels)))
    return Chart(name, "Anharmonicity by model and reference", caption, panels, columns, size=(3.0, 3.0))


def pretty_choice(choice: Choice) -> str:
    """Return a choice of frames and force constants in a few words."""
    one = choice.combination
    temperature = "" if one.temperature is None or choice.name != choice.label else f", {one.temperature:g} K"
    return f"{one.frames} frames, {one.constants} constants{temperature}"


def _all_choices(models: ByModel) -> list[Choice]:
    return choices_of([row for rows in models.values() for row in rows])


def _shares(matrix: Confusion) -> str:
    shares = matrix.shares()
    if shares["agreement"] is None:
        return "no material has both classes"
    named = {"agree": "agreement", "over": "over_stabilised", "under": "under_stabilised"}
    return " · ".join(f"{name} {_percent(shares[key])}" for name, key in named.items())


def _percent(share: float | None) -> str:
    """Return a share in per cent, of which little is told from nothing."""
    if share is None:
        return "-"
    return "<1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def _cells(matrix: Confusion) -> Cells:
    counts = np.asarray(matrix.counts)
    rows = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, rows, out=np.full(counts.shape, np.nan), where=rows > 0)
    names = list(matrix.classes)
    if matrix.undecided:
        names.append(CANNOT_TELL)
        shares = np.pad(shares, (0, 1), constant_values=np.nan)
    drawn = matrix.all_counts[: len(names), : len(names)]
    texts = [
        [f"{count}\n{_percent(float(share)) if np.isfinite(share) else '-'}" for count, share in zip(*row, strict=True)]
        for row in zip(drawn, shares, strict=True)
    ]
    return Cells(names, names, shares, texts)


def _sigma_axis(values: NDArray[np.float64]) -> Axis:
    highest = max(1.2 * BORDERS[-1], 1.06 * float(values.max()))
    is_linear = highest <= LARGE_SIGMA or values.min() <= 0
    lowest = 0.0 if is_linear else min(0.5 * BORDERS[0], 0.9 * float(values.min()))
    return Axis("", (lowest, highest), is_logarithmic=not is_linear)


def _borders(axis: Axis) -> list[Mark]:
    """Return the borders of the classes, what lies where both sides agree, and the diagonal."""
    assert axis.limits is not None
    edges = (axis.limits[0], *BORDERS, axis.limits[1])
    marks: list[Mark] = [
        Span("", "x", low, high, shade, opacity=0.10, within=(low, high))
        for shade, low, high in zip(SHADES, edges, edges[1:], strict=False)
    ]
    for border in BORDERS:
        marks += [Level("", direction, border, MUTED, "dash", 0.7) for direction in ("x", "y")]
    ends = np.array(axis.limits)
    return [*marks, Series("", ends, ends, colour=MUTED, marker=None, line="solid", width=0.8, in_legend=False)]


def _points(rows: Sequence[BenchmarkRow], choice: Choice, group: str, number: int, n_points: int) -> Series:
    """Return the materials of one group; an error that is not known has no bar."""
    (x, x_error), (y, y_error) = (
        np.array([(row.sigma(label), row.standard_error(label)) for row in rows], dtype=float).T
        for label in (REFERENCE, choice.label)
    )
    return Series(
        group, x, y, x_error, y_error, by_number(COLOURS, number), by_number(MARKERS, number),
        labels=[row.material for row in rows], **point_style(n_points),
    )  # fmt: skip

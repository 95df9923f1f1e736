"""A benchmark: errors of phonons against each other, by group, and against the anharmonicity.

The figures are of the kind of Yang et al., Phys. Chem. Chem. Phys. 2026, 28, 4459.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.analysis.anharmonicity.combinations import REFERENCE
from aiida_crucible.analysis.benchmark.records import (
    MATCHINGS,
    BenchmarkRow,
    by_model_and_protocol,
    groups_of,
    read_rows,
)
from aiida_crucible.analysis.benchmark.stability_classes import BORDERS
from aiida_crucible.analysis.benchmark.summary import correlation
from aiida_crucible.report.charts.chart import (
    COLOURS,
    MARKERS,
    MUTED,
    Axis,
    Boxes,
    Chart,
    ColourScale,
    Level,
    Mark,
    Panel,
    Series,
    by_number,
)
from aiida_crucible.report.figures.points import point_style
from aiida_crucible.report.figures.stability_classes import confusion_chart, sigma_chart

ByModel = Mapping[str, Sequence[BenchmarkRow]]

TITLES = {
    "printed": "√⟨|Δω²|⟩ (THz), as printed",
    "squares": "RMSE of ω² (THz²)",
    "velocities": "RMSE of group velocity (Å THz)",
}
WIDE_RANGE = 30.0
"""Ratio of the largest to the smallest error above which axes are logarithmic."""
SIGMA = "σ of the reference"
MOST_BESIDE = 3
"""Panels in a line."""


def benchmark_charts(rows: Iterable[Mapping[str, Any]]) -> dict[str, Chart]:
    """Return the figures that there is something to draw in.

    :param rows: see :func:`aiida_crucible.analysis.benchmark.records.read_rows`.
    :return: by name, with the protocol in it where there are several: ``errors`` (of ω² against those of group
        velocities), ``errors_by_group``, ``errors_against_sigma``, ``confusion``, ``sigma``.
    :raises ValueError: one line that names the material of a row that is none.
    """
    by_protocol: dict[str, dict[str, list[BenchmarkRow]]] = {}
    for (model, protocol), own in by_model_and_protocol(read_rows(rows)).items():
        by_protocol.setdefault(protocol, {})[model] = own
    drawings: dict[str, Callable[[ByModel, str], Chart | None]] = {
        "errors": errors_chart,
        "errors_by_group": errors_by_group_chart,
        "errors_against_sigma": errors_against_sigma_chart,
        "confusion": confusion_chart,
        "sigma": sigma_chart,
    }
    charts = {}
    for protocol, models in by_protocol.items():
        for name, draw in drawings.items():
            full = name if len(by_protocol) == 1 else f"{name}_{protocol}"
            chart = draw(models, full.replace("/", "-"))
            if chart is not None:
                charts[full] = chart
    return charts


def errors_chart(models: ByModel, name: str = "errors") -> Chart | None:
    """Return the errors of ω² against those of group velocities, a panel a model, coloured by the reference's σ."""
    points = {model: _Points(rows, "velocities", "squares") for model, rows in models.items()}
    points = {model: found for model, found in points.items() if len(found.labels)}
    if not points:
        return None
    sigmas = np.concatenate([found.sigma for found in points.values()])
    known = sigmas[np.isfinite(sigmas)]
    scale = ColourScale(SIGMA, 0.0, float(max(BORDERS[1], known.max(initial=0.0))))
    x = _axis(TITLES["velocities"], np.concatenate([found.x for found in points.values()]))
    y = _axis(TITLES["squares"], np.concatenate([found.y for found in points.values()]))
    panels = [
        Panel(
            x,
            y,
            [Series("", found.x, found.y, shade=found.sigma, labels=found.labels, **point_style(len(found.labels)))],
            title=f"{model} ({len(found.labels)})",
        )
        for model, found in points.items()
    ]
    caption = (
        "Errors of the model's phonons against the reference's, each point a material: of squared frequencies against "
        "those of group velocities, coloured by how anharmonic the reference finds the material; outlined or grey "
        "where that is not known."
    )
    columns = min(len(panels), MOST_BESIDE)
    return Chart(
        name,
        "Errors of the phonons",
        caption,
        panels,
        columns,
        colour_scale=scale if len(known) else None,
        size=(3.2, 2.9),
    )


def errors_by_group_chart(models: ByModel, name: str = "errors_by_group") -> Chart | None:
    """Return box plots of the errors by group, the models beside each other; whiskers as in the tables.

    Each material is a point.
    """
    groups = [
        group
        for group in groups_of([row for rows in models.values() for row in rows])
        if any(row.is_compared for rows in models.values() for row in rows if row.group == group)
    ]
    if not groups:
        return None
    width = 0.8 / len(models)
    panels = []
    for quantity, title in TITLES.items():
        marks: list[Mark] = [Level("", "x", place - 0.5, MUTED, "dot", 0.6) for place in range(1, len(groups))]
        everything: list[float] = []
        for number, (model, rows) in enumerate(models.items()):
            values = [_errors(rows, group, quantity) for group in groups]
            places = np.arange(len(groups), dtype=np.float64) + (number - (len(models) - 1) / 2) * width
            marks.append(Boxes(model, places, values, by_number(COLOURS, number), groups, width))
            everything += [float(value) for own in values for value in own]
        ticks = [(float(place), group) for place, group in enumerate(groups)]
        x = Axis("", (-0.5, len(groups) - 0.5), ticks)
        panels.append(Panel(x, _axis(title, np.array(everything)), marks))
    caption = (
        "Errors of the phonons by group of materials: median, quartiles, whiskers to the last value within 1.5 box "
        "lengths, and each material as a point."
    )
    n_boxes = len(groups) * len(models)
    size = (min(9.0, max(4.6, 1.2 + 0.45 * n_boxes)), 2.1)
    return Chart(name, "Errors of the phonons by group", caption, panels, shares_x=True, size=size)


def errors_against_sigma_chart(models: ByModel, name: str = "errors_against_sigma") -> Chart | None:
    """Return the errors against the reference's σ, a panel a quantity, with Spearman's coefficient of each model."""
    points = {
        model: {quantity: _Points(rows, quantity, quantity) for quantity in TITLES} for model, rows in models.items()
    }
    if not any(np.isfinite(found.sigma).any() for own in points.values() for found in own.values()):
        return None
    panels, said = [], []
    for quantity, title in TITLES.items():
        marks: list[Mark] = [Level("", "x", border, MUTED, "dash", 0.7) for border in BORDERS]
        everything: list[float] = []
        for number, (model, own) in enumerate(points.items()):
            found = own[quantity]
            known = np.isfinite(found.sigma)
            style = {**point_style(len(found.labels)), "marker": by_number(MARKERS, number)}
            labels = [label for label, is_known in zip(found.labels, known, strict=True) if is_known]
            colour = by_number(COLOURS, number)
            marks.append(Series(model, found.sigma[known], found.y[known], colour=colour, labels=labels, **style))
            said.append(f"{title}, {model}: {_correlation(found.sigma, found.y)}")
            everything += found.y[known].tolist()
        top = 1.05 * max((float(np.nanmax(own[quantity].sigma, initial=0.0)) for own in points.values()), default=1.0)
        panels.append(Panel(Axis(SIGMA, (0.0, max(top, BORDERS[0]))), _axis(title, np.array(everything)), marks))
    caption = (
        "Errors of the phonons against how anharmonic the reference finds the material; dashed: the borders of the "
        f"classes of stability. Correlation (Spearman's ρ, Pearson's r): {'; '.join(said)}."
    )
    return Chart(name, "Errors against the anharmonicity", caption, panels, MOST_BESIDE, size=(3.1, 3.0))


class _Points:
    """Two errors and the reference's σ (not a number where there is none) of each row, with its name."""

    def __init__(self, rows: Sequence[BenchmarkRow], first: str, second: str) -> None:
        there = [row for row in rows if row.error(MATCHINGS[0], first) is not None]
        self.labels = [f"{row.material} ({row.group})" for row in there]
        self.x = np.array([row.error(MATCHINGS[0], first) for row in there], dtype=float)
        self.y = np.array([row.error(MATCHINGS[0], second) for row in there], dtype=float)
        self.sigma = np.array([row.sigma(REFERENCE) for row in there], dtype=float)


def _errors(rows: Sequence[BenchmarkRow], group: str, quantity: str) -> NDArray[np.float64]:
    found = [row.error(MATCHINGS[0], quantity) for row in rows if row.group == group]
    return np.array([error for error in found if error is not None], dtype=float)


def _correlation(sigma: NDArray[np.float64], values: NDArray[np.float64]) -> str:
    """Return the correlation in words."""
    known = np.isfinite(sigma)
    found = correlation(sigma[known].tolist(), values[known].tolist())
    if found["spearman"] is None:
        return f"none known (n = {found['n']})"
    return f"ρ = {found['spearman']:.2f}, r = {found['pearson']:.2f} (n = {found['n']})"


def _axis(title: str, values: NDArray[np.float64]) -> Axis:
    """Return an axis that is logarithmic where errors differ much, and begins at zero where they do not."""
    if len(values) and values.min() > 0 and values.max() > WIDE_RANGE * values.min():
        return Axis(title, (0.8 * float(values.min()), 1.25 * float(values.max())), is_logarithmic=True)
    return Axis(title, (0.0, 1.08 * float(values.max(initial=0.0)) or 1.0))

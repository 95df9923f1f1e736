"""Figures of a benchmark: errors of phonons against each other, by group, and against the anharmonicity.

They are of the kind of Yang et al., Phys. Chem. Chem. Phys. 2026, 28, 4459.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import AutoMinorLocator, LogLocator, NullFormatter
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
from aiida_crucible.report.benchmark_stability_figures import draw_confusion, draw_sigma
from aiida_crucible.report.figures import COLOURS
from aiida_crucible.report.plain_panels import MARKERS, by_number, point_style, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ByModel = Mapping[str, Sequence[BenchmarkRow]]

TITLES = {
    "printed": "$\\sqrt{\\langle|\\Delta\\omega^2|\\rangle}$ (THz), as printed",
    "squares": "RMSE of $\\omega^2$ (THz²)",
    "velocities": "RMSE of $v_g$ (Å THz)",
}
WIDE_RANGE = 30.0
"""Ratio of the largest to the smallest error above which axes are logarithmic."""
SIGMA = "$\\sigma$ of the reference"
MANY = 60
"""Points of a box above which they are drawn fainter."""


def benchmark_figures(rows: Iterable[Mapping[str, Any]]) -> dict[str, Figure]:
    """Return the figures that there is something to draw in.

    :param rows: see :func:`aiida_crucible.analysis.benchmark.records.read_rows`.
    :return: by name, with the protocol in it where there are several: ``errors`` (of ω² against those of group
        velocities), ``errors_by_group``, ``errors_against_sigma``, ``confusion``, ``sigma``; ready for
        :func:`aiida_crucible.report.temperature_figures.save_figure`.
    :raises ValueError: one line that names the material of a row that is none.
    """
    by_protocol: dict[str, dict[str, list[BenchmarkRow]]] = {}
    for (model, protocol), own in by_model_and_protocol(read_rows(rows)).items():
        by_protocol.setdefault(protocol, {})[model] = own
    drawings: dict[str, Callable[[ByModel], Figure | None]] = {
        "errors": draw_errors,
        "errors_by_group": draw_errors_by_group,
        "errors_against_sigma": draw_errors_against_sigma,
        "confusion": draw_confusion,
        "sigma": draw_sigma,
    }
    figures = {}
    for protocol, models in by_protocol.items():
        for name, draw in drawings.items():
            figure = draw(models)
            if figure is not None:
                figures[name if len(by_protocol) == 1 else f"{name}_{protocol}"] = figure
    return figures


def draw_errors(models: ByModel) -> Figure | None:
    """Return the errors of ω² against those of group velocities, a panel a model, coloured by the reference's σ."""
    points = {model: _errors_and_sigma(rows, "velocities", "squares") for model, rows in models.items()}
    points = {model: found for model, found in points.items() if len(found)}
    if not points:
        return None
    figure = Figure(layout="constrained", dpi=200)
    panels = wrapped(figure, len(points), 3.2, 3.0, sharex=True, sharey=True, extra_width=0.9)
    sigmas = np.concatenate([found[:, 2] for found in points.values()])
    known = sigmas[np.isfinite(sigmas)]
    limits = {"vmin": 0.0, "vmax": max(BORDERS[1], known.max(initial=0.0))}
    shown = None
    for axes, (model, found) in zip(panels, points.items(), strict=True):
        bare = ~np.isfinite(found[:, 2])
        style = point_style(len(found))
        axes.scatter(
            found[bare, 0], found[bare, 1], facecolors="none", edgecolors="0.5", **{**style, "linewidths": 0.8}
        )
        coloured = axes.scatter(found[~bare, 0], found[~bare, 1], c=found[~bare, 2], cmap="viridis", **limits, **style)
        shown = coloured if (~bare).any() else shown
        axes.set_title(f"{model} ({len(found)})", fontsize=9)
    _label_outside(panels, TITLES["velocities"], TITLES["squares"])
    _scale(panels, "x", np.concatenate([found[:, 0] for found in points.values()]))
    _scale(panels, "y", np.concatenate([found[:, 1] for found in points.values()]))
    if shown is not None:
        figure.colorbar(shown, ax=panels, label=SIGMA, shrink=0.9)
    return figure


def draw_errors_by_group(models: ByModel) -> Figure | None:
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
    n_boxes = len(groups) * len(models)
    width = min(9.0, max(3.6, 1.2 + 0.45 * n_boxes))
    figure = Figure(figsize=(width, 6.6), layout="constrained", dpi=200)
    panels = figure.subplots(len(TITLES), 1, sharex=True)
    for axes, (quantity, title) in zip(panels, TITLES.items(), strict=True):
        everything = []
        for number, rows in enumerate(models.values()):
            values = [
                [
                    error
                    for row in rows
                    if row.group == group and (error := row.error(MATCHINGS[0], quantity)) is not None
                ]
                for group in groups
            ]
            _draw_boxes(axes, values, number, len(models))
            everything += [value for own in values for value in own]
        axes.set_ylabel(title, fontsize=8)
        _scale([axes], "y", np.array(everything))
        axes.tick_params(axis="x", which="both", length=0)
    for place in range(1, len(groups)):
        for axes in panels:
            axes.axvline(place - 0.5, color="0.9", linewidth=0.8, zorder=0)
    panels[-1].set_xticks(range(len(groups)), groups)
    panels[-1].set_xlim(-0.5, len(groups) - 0.5)
    for number, model in enumerate(models):
        panels[0].plot([], [], color=by_number(COLOURS, number), linewidth=6, alpha=0.6, label=model)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    return figure


def draw_errors_against_sigma(models: ByModel) -> Figure | None:
    """Return the errors against the reference's σ, a panel a quantity, with Spearman's coefficient of each model."""
    points = {
        model: {quantity: _errors_and_sigma(rows, quantity, quantity) for quantity in TITLES}
        for model, rows in models.items()
    }
    if not any(np.isfinite(found[:, 2]).any() for own in points.values() for found in own.values()):
        return None
    figure = Figure(layout="constrained", dpi=200)
    panels = wrapped(figure, len(TITLES), 3.1, 3.4, sharex=True, sharey=False)
    for axes, (quantity, title) in zip(panels, TITLES.items(), strict=True):
        everything = []
        for number, (model, own) in enumerate(points.items()):
            values, _, sigma = own[quantity].T
            style = {**point_style(len(values)), "marker": by_number(MARKERS, number)}
            label = f"{model}: {_said(sigma, values)}"
            axes.scatter(sigma, values, color=by_number(COLOURS, number), label=label, **style)
            everything += values[np.isfinite(sigma)].tolist()
        for border in BORDERS:
            axes.axvline(border, color="0.5", linestyle="--", linewidth=0.7, zorder=0)
        axes.set_xlabel(SIGMA)
        axes.set_ylabel(title)
        _scale([axes], "y", np.array(everything))
        axes.set_xlim(left=0.0)
        axes.xaxis.set_minor_locator(AutoMinorLocator())
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, fontsize=7, handletextpad=0.2)
    return figure


def _errors_and_sigma(rows: Sequence[BenchmarkRow], first: str, second: str) -> NDArray[np.float64]:
    """Return two errors and the reference's σ (not a number where there is none) of each row, [n, 3]."""
    found = [(row.error(MATCHINGS[0], first), row.error(MATCHINGS[0], second), row.sigma(REFERENCE)) for row in rows]
    return np.array([each for each in found if each[0] is not None], dtype=float).reshape(-1, 3)


def _said(sigma: NDArray[np.float64], values: NDArray[np.float64]) -> str:
    """Return the correlation in words."""
    known = np.isfinite(sigma)
    found = correlation(sigma[known].tolist(), values[known].tolist())
    if found["spearman"] is None:
        return f"no correlation known (n = {found['n']})"
    return f"$\\rho$ = {found['spearman']:.2f}, r = {found['pearson']:.2f} (n = {found['n']})"


def _draw_boxes(axes: Axes, values: Sequence[Sequence[float]], number: int, n_models: int) -> None:
    """Draw the boxes of one model, and each material as a point within its box's width."""
    width = 0.8 / n_models
    places = np.arange(len(values)) + (number - (n_models - 1) / 2) * width
    colour = by_number(COLOURS, number)
    boxes = axes.boxplot(
        [list(own) for own in values], positions=places, widths=0.8 * width, patch_artist=True, showfliers=False
    )
    for box in boxes["boxes"]:
        box.set(facecolor=colour, alpha=0.25, edgecolor="none")
    for name in ("whiskers", "caps", "medians"):
        for line in boxes[name]:
            line.set(color=colour, linewidth=1.8 if name == "medians" else 0.9)
    for place, own in zip(places, values, strict=True):
        # Spread evenly, so that the same numbers always make the same figure.
        spread = 0.5 * width * (np.modf(np.arange(len(own)) * 0.618034)[0] - 0.5)
        faint = len(own) > MANY
        axes.scatter(
            place + spread, own, s=3 if faint else 11, color=colour, alpha=0.3 if faint else 0.9, linewidths=0, zorder=3
        )


def _scale(panels: Sequence[Axes], axis: str, values: NDArray[np.float64]) -> None:
    """Make an axis logarithmic where errors differ much, and begin it at zero where they do not."""
    if len(values) and values.min() > 0 and values.max() > WIDE_RANGE * values.min():
        for axes in panels:
            (axes.set_xscale if axis == "x" else axes.set_yscale)("log")
            scale = axes.xaxis if axis == "x" else axes.yaxis
            scale.set_major_locator(LogLocator(subs=(1.0, 3.0) if values.max() < 1000 * values.min() else (1.0,)))
            scale.set_major_formatter("{x:g}")
            scale.set_minor_formatter(NullFormatter())
    elif len(values):
        top = 1.08 * float(values.max()) or 1.0
        for axes in panels:
            (axes.set_xlim if axis == "x" else axes.set_ylim)(0.0, top)
            (axes.xaxis if axis == "x" else axes.yaxis).set_minor_locator(AutoMinorLocator())


def _label_outside(panels: Sequence[Axes], x: str, y: str) -> None:
    for axes in panels:
        place = axes.get_subplotspec()
        if place is None or place.is_first_col():
            axes.set_ylabel(y)
        axes.set_xlabel(x)

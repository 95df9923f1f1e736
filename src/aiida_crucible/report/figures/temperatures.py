"""Temperature sweeps: lattice parameters, their ratio, order parameter and polarization against temperature."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from aiida_crucible.analysis.transitions.records import CRYSTAL_OUTCOMES
from aiida_crucible.report.charts.chart import (
    COLOURS,
    INK,
    MUTED,
    Axis,
    Chart,
    Level,
    Mark,
    Marker,
    Panel,
    Series,
    Span,
    by_number,
)
from aiida_crucible.report.figures.temperature_curves import DRAWN, LENGTHS, KnownValues, TemperatureCurves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES = dict(
    zip(DRAWN, ("a (Å)", "b (Å)", "c (Å)", "c/a", "order parameter (Å)", "polarization (µC/cm²)"), strict=True)
)
"""Of a panel, from top to bottom; one without numbers is left out."""
AXIS_COLOURS = {"a": COLOURS[0], "b": COLOURS[2], "c": COLOURS[1]}
AXIS_MARKERS: dict[str, Marker] = {"a": "circle", "b": "triangle-up", "c": "square"}
OUTCOME_MARKERS: dict[str, Marker] = {
    "stable": "circle",
    "diffusive": "diamond",
    "melted": "triangle-down",
    "atoms-lost": "triangle-left",
    "exploded": "star",
    "non-finite": "x",
    "failed": "cross",
    "not-run": "dash",
}
OUTCOME_WORDS = {
    "diffusive": "a crystal whose atoms wander",
    "melted": "no longer a crystal",
    "atoms-lost": "atoms flew away",
    "exploded": "the energy or the temperature ran away",
    "non-finite": "forces that are no numbers",
    "failed": "the job failed",
    "not-run": "not run",
}
CRYSTAL_TRANSITIONS = ("first-order", "continuous", "undetermined-order")


def temperature_chart(
    models: Sequence[TemperatureCurves],
    title: str = "",
    known: Sequence[KnownValues] = (),
    name: str = "temperature-sweep",
) -> Chart:
    """Return sweeps against temperature, with a strip on top that says what became of each run.

    Of one model the lattice parameters share a panel, a colour each; of several, each quantity has a panel and each
    model a colour. Outlined marks are means of too few independent values. Transitions are shaded over their interval
    only where the runs beside them were long enough; where the crystal is lost the shading is hatched.

    :param models: at least one.
    :param known: what to compare with.
    :raises ValueError: if there is nothing to draw.
    """
    if not models:
        raise ValueError("there is no temperature sweep to draw")
    limits = _limits(models, known)
    drawn = [key for key in TITLES if any(_has(model, key) for model in models)]
    groups: list[tuple[str, list[str]]] = [(TITLES[key], [key]) for key in drawn]
    lengths = [key for key in drawn if key in LENGTHS]
    if len(models) == 1 and lengths:
        others = [(TITLES[key], [key]) for key in drawn if key not in LENGTHS]
        groups = [("lattice parameter (Å)", lengths), *others]
    panels = [_strip(models, limits)]
    for label, keys in groups:
        marks = [*_shades(models, limits), *_known(known, keys)]
        marks += [
            mark
            for number, model in enumerate(models)
            for key in keys
            if _has(model, key)
            for mark in _curve(model, key, number, len(models))
        ]
        panels.append(Panel(Axis("temperature (K)", limits), Axis(label, _vertical_limits(marks)), marks))
    # The strip is as high as its rows.
    panels[0] = Panel(panels[0].x, panels[0].y, panels[0].marks, height=0.12 + 0.09 * len(models))
    return Chart(name, title, _caption(models), panels, shares_x=True, size=(5.8, 2.1))


def plot_temperature_curves(models: Sequence[TemperatureCurves], title: str = "") -> Figure:
    """Return :func:`temperature_chart` as a figure of matplotlib that belongs to no window."""
    from aiida_crucible.report.charts.static import draw

    return draw(temperature_chart(models, title))


def _strip(models: Sequence[TemperatureCurves], limits: tuple[float, float]) -> Panel:
    marks: list[Mark] = []
    for row, model in enumerate(models):
        outcomes = np.array(model.outcomes[: len(model.temperatures)])
        for outcome, marker in OUTCOME_MARKERS.items():
            chosen = outcomes == outcome
            if chosen.any():
                temperatures = model.temperatures[: len(outcomes)][chosen]
                is_crystal = outcome in CRYSTAL_OUTCOMES
                colour = INK if not is_crystal or len(models) == 1 else by_number(COLOURS, row)
                labels = [f"{model.name}, {temperature:g} K: {outcome}" for temperature in temperatures]
                marks.append(
                    Series(
                        outcome, temperatures, np.full(len(temperatures), float(row)), colour=colour, marker=marker,
                        labels=labels, size=4.0 if outcome == "stable" else 6.0, in_legend=outcome != "stable",
                    )
                )  # fmt: skip
    names = [(float(row), model.name if len(models) > 1 else "outcome") for row, model in enumerate(models)]
    return Panel(Axis("", limits), Axis("", (-0.7, len(models) - 0.3), names, is_reversed=True), marks)


def _curve(model: TemperatureCurves, key: str, number: int, n_models: int) -> Iterator[Series]:
    values = np.asarray(model.values[key], dtype=float)
    known = np.isfinite(values)
    lost = np.array([outcome not in CRYSTAL_OUTCOMES for outcome in model.outcomes] or [False] * len(values))
    short = np.asarray(model.short.get(key, np.zeros(len(values), dtype=bool)))
    is_axis = n_models == 1 and key in LENGTHS
    colour = AXIS_COLOURS[key] if is_axis else by_number(COLOURS, number)
    if n_models == 1 and not is_axis:
        colour = COLOURS[3]
    labels = [
        f"{model.name}, {temperature:g} K, {outcome}" + (": too few independent values" if is_short else "")
        for temperature, outcome, is_short in zip(model.temperatures, model.outcomes or [""] * len(values), short,
                                                  strict=True)
    ]  # fmt: skip
    yield Series(
        key if is_axis else model.name,
        model.temperatures[known],
        values[known],
        y_error=np.asarray(model.errors[key])[known] if key in model.errors else None,
        colour=colour,
        marker=AXIS_MARKERS[key] if is_axis else "circle",
        line="solid",
        hollow=(lost | short)[known],
        labels=[label for label, is_known in zip(labels, known, strict=True) if is_known],
        in_legend=is_axis or n_models > 1,
    )


def _shades(models: Sequence[TemperatureCurves], limits: tuple[float, float]) -> list[Mark]:
    marks: list[Mark] = []
    for number, model in enumerate(models):
        for each in model.believed_transitions():
            low = limits[0] if each.low is None else each.low
            high = limits[1] if each.high is None else each.high
            is_crystal = each.kind in CRYSTAL_TRANSITIONS
            colour = MUTED if len(models) == 1 else by_number(COLOURS, number)
            marks.append(Span(f"{each.kind} ({model.name})", "x", low, high, colour, not is_crystal))
            if is_crystal:
                marks.append(Level(f"{each.kind} ({model.name})", "x", each.temperature, colour, in_legend=False))
    return marks


def _known(known: Sequence[KnownValues], keys: Sequence[str]) -> list[Mark]:
    marks: list[Mark] = []
    for each in known:
        for key in keys:
            if key in each.values:
                colour = AXIS_COLOURS[key] if len(keys) > 1 else INK
                marks.append(Level(each.name, "y", each.values[key], colour, "dot"))
        if each.transition_temperature is not None:
            marks.append(Level(f"transition, {each.name}", "x", each.transition_temperature, INK, "dashdot"))
    return marks


def _vertical_limits(marks: Sequence[Mark]) -> tuple[float, float]:
    """Return ends between which all means with their errors and all known values are."""
    found = [mark.value for mark in marks if isinstance(mark, Level) and mark.along == "y"]
    for mark in marks:
        if isinstance(mark, Series):
            errors = np.nan_to_num(mark.y_error) if mark.y_error is not None else 0.0
            found += [*(mark.y - errors), *(mark.y + errors)]
    low, high = float(np.nanmin(found)), float(np.nanmax(found))
    margin = 0.08 * (high - low) or 0.01 * abs(high) or 1.0
    return low - margin, high + margin


def _caption(models: Sequence[TemperatureCurves]) -> str:
    seen = {outcome for model in models for outcome in model.outcomes}
    said = ["Means over molecular dynamics at each temperature, with standard errors."]
    if any(short.any() for model in models for short in model.short.values()):
        said.append("Outlined marks: too few independent values for the error to be believed, or no crystal.")
    told = [f"{outcome}: {words}" for outcome, words in OUTCOME_WORDS.items() if outcome in seen]
    if told:
        said.append(f"On top, what became of each run ({'; '.join(told)}).")
    left_out = [model.name for model in models if len(model.believed_transitions()) < len(model.transitions)]
    if left_out:
        said.append(f"Not shaded, since the runs beside it were too short: a transition by {', '.join(left_out)}.")
    return " ".join(said)


def _has(curves: TemperatureCurves, name: str) -> bool:
    return name in curves.values and bool(np.isfinite(curves.values[name]).any())


def _limits(curves: Sequence[TemperatureCurves], known: Sequence[KnownValues]) -> tuple[float, float]:
    temperatures = np.concatenate([one.temperatures for one in curves])
    margin = max(0.04 * float(np.ptp(temperatures)), 10.0)
    marked = [each.transition_temperature for each in known if each.transition_temperature is not None]
    low, high = float(min([*temperatures, *marked])), float(max([*temperatures, *marked]))
    return low - margin, high + margin

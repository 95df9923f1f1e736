"""What force calls of models cost against the number of atoms: time and memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.report.charts.chart import COLOURS, MARKERS, Axis, Chart, Panel, Series, by_number

LOST = ("out-of-memory", "killed")


def speed_chart(content: Mapping[str, Any], title: str) -> Chart:
    """Return time and memory of force calls against the number of atoms, a colour each model.

    :param content: see :func:`aiida_crucible.analysis.comparison.speed.speed_table`.
    :raises ValueError: if no size of any model was measured.
    """
    times: list[Series] = []
    memory: list[Series] = []
    for number, model in enumerate(content["models"].values()):
        measured = [entry for entry in model["sizes"] if entry["outcome"] == "measured"]
        if not measured:
            continue
        colour, marker = by_number(COLOURS, number), by_number(MARKERS, number)
        atoms = _column(measured, "n_atoms")
        alone = _column(measured, "milliseconds_per_step")
        times.append(Series(model["title"], atoms, alone, colour=colour, marker=marker, line="solid"))
        best = np.array([_best(entry) for entry in measured])
        if np.isfinite(best).any():
            name = "the same, best batch (a structure)"
            times.append(
                Series(name, atoms, best, colour=colour, marker=marker, line="dot",
                       hollow=np.ones(len(best), dtype=bool), in_legend=not any(mark.name == name for mark in times))
            )  # fmt: skip
        gpu = [entry["peak_device_memory"] is not None for entry in measured]
        column = "peak_device_memory" if all(gpu) else "peak_memory"
        memory.append(
            Series(model["title"], atoms, _column(measured, column), colour=colour, marker=marker, line="solid",
                   in_legend=False)
        )  # fmt: skip
        lost = [entry["n_atoms"] for entry in model["sizes"] if entry["outcome"] in LOST]
        if lost:
            times.append(
                Series("out of memory", np.array(lost[:1], dtype=float), alone[-1:], colour=colour, marker="x",
                       size=9.0, in_legend=not any(mark.name == "out of memory" for mark in times))
            )  # fmt: skip
    if not times:
        raise ValueError("no force call was timed: there is nothing to draw")
    horizontal = Axis("number of atoms", is_logarithmic=True)
    panels = [
        Panel(Axis("", is_logarithmic=True), Axis("force call (ms)", is_logarithmic=True), times),
        Panel(horizontal, Axis("peak memory (MiB)", is_logarithmic=True), memory, height=0.7),
    ]
    caption = (
        "Median time of a force call (with stress) after the first one, one structure at a time by ASE's calculator; "
        "dotted and outlined the best of several structures at once through the family's own batching, a structure. "
        "Below, the largest resident memory of the process, or what torch held on a GPU."
    )
    return Chart("speed", title, caption, panels, shares_x=True)


def _column(entries: Sequence[Mapping[str, Any]], name: str) -> NDArray[np.float64]:
    return np.array([entry[name] for entry in entries], dtype=float)


def _best(entry: Mapping[str, Any]) -> float:
    """Return the least time a structure of batches of two and more; not a number where there are none."""
    tried = [each["milliseconds_per_structure"] for each in entry["batches"] if each["size"] > 1]
    return min(tried, default=np.nan)

"""Polarization against temperature of several models in the same lattice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aiida_crucible.report.charts.chart import COLOURS, MARKERS, Axis, Chart, Mark, Panel, Series, by_number


def polarization_chart(rows: Mapping[str, Mapping[str, Any]], title: str) -> Chart:
    """Return the spontaneous polarization against temperature, a colour each model.

    :param rows: by label, ``title`` and ``polarization`` (see
        :func:`aiida_crucible.analysis.comparison.polarization.polarization_of`); those without are left out.
    :raises ValueError: if no model has one.
    """
    marks: list[Mark] = []
    for number, row in enumerate(rows.values()):
        known = [entry for entry in row.get("polarization") or () if entry["value"] is not None]
        if not known:
            continue
        marks.append(
            Series(
                row["title"],
                np.array([entry["temperature"] for entry in known]),
                np.array([entry["value"] for entry in known]),
                y_error=np.array([np.nan if entry["error"] is None else entry["error"] for entry in known]),
                colour=by_number(COLOURS, number), marker=by_number(MARKERS, number), line="solid",
                hollow=np.array([entry["is_short"] for entry in known]),
                labels=[f"{entry['temperature']:g} K: {entry['outcome']}" for entry in known],
            )
        )  # fmt: skip
    if not marks:
        raise ValueError("no model was run for its polarization: there is nothing to draw")
    caption = (
        "Length of the mean polarization vector, from displacements and Born charges, with its standard error. "
        "Outlined marks are means of too few independent values."
    )
    return Chart("polarization", title, caption, [Panel(Axis("temperature (K)"), Axis("polarization (µC/cm²)"), marks)])

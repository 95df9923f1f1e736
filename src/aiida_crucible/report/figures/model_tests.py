"""What a model says of pairs of atoms, against their distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.report.charts.chart import COLOURS, LINES, MARKERS, Axis, Chart, Mark, Panel, Series, by_number

MOST_PANELS = 12
"""Pairs that are drawn; the numbers of all of them are in the node."""

DEEP, HIGH = -1.15, 1.0
"""Ends of the vertical axis, in units of the deepest minimum, where there is one: at short range curves go anywhere."""


@dataclass(frozen=True)
class DimerCurve:
    """A curve of one model.

    :param name: of the model.
    :param distances: Å, [n].
    :param energies: eV, [n].
    """

    name: str
    distances: NDArray[np.float64]
    energies: NDArray[np.float64]


def dimer_chart(curves: Mapping[str, Sequence[DimerCurve]], title: str = "") -> Chart | None:
    """Return the energy of each pair against its distance; ``None`` where there is none.

    :param curves: of each model, by pair (``Ti–O``).
    """
    shown = dict(list(curves.items())[:MOST_PANELS])
    if not shown:
        return None
    panels = [_panel(pair, own) for pair, own in shown.items()]
    caption = (
        "Energy of two atoms alone, relative to the largest distance. Atoms that come close repel each other, and "
        "there is one minimum at the most. Energies above the frame are not drawn."
    )
    if len(shown) < len(curves):
        caption += f" The first {len(shown)} of {len(curves)} pairs."
    return Chart("dimers", title, caption, panels, columns=min(3, len(panels)), size=(2.4, 2.0))


def _panel(pair: str, curves: Sequence[DimerCurve]) -> Panel:
    lowest = [float(np.nanmin(curve.energies)) for curve in curves if np.isfinite(curve.energies).any()]
    depth = -min(lowest, default=0.0)
    scale = max(depth, 0.5)
    marks: list[Mark] = []
    for number, curve in enumerate(curves):
        inside = np.where(curve.energies <= 4 * scale, curve.energies, np.nan)
        marks.append(
            Series(
                curve.name, curve.distances, inside, colour=by_number(COLOURS, number),
                marker=by_number(MARKERS, number), line=by_number(LINES, number), size=3.0,
                labels=[f"{curve.name}, {pair}, {distance:.2f} Å" for distance in curve.distances],
            )
        )  # fmt: skip
    return Panel(Axis("distance (Å)"), Axis("energy (eV)", (DEEP * scale, HIGH * 4 * scale)), marks, title=pair)

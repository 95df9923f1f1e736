"""Energies against volumes with the curves through them, and the pressures that both say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.report.charts.chart import COLOURS, MARKERS, Axis, Chart, Mark, Panel, Series, by_number

Array = NDArray[np.float64]


@dataclass(frozen=True)
class EnergyCurve:
    """One model's energies and the curve through them, all of a formula unit.

    :param name: of the model.
    :param volumes: Å³, [n].
    :param energies: eV above the lowest one, [n].
    :param pressures: by the model's stress, GPa, [n]; NaN where it gives none.
    :param drawn: volumes of the curve, Å³, [m]; empty where there is no curve.
    :param curve: its energies, eV above the same one, [m].
    :param curve_pressures: its pressures, GPa, [m].
    """

    name: str
    volumes: Array
    energies: Array
    pressures: Array
    drawn: Array
    curve: Array
    curve_pressures: Array


def energy_volume_chart(curves: Sequence[EnergyCurve], title: str) -> Chart:
    """Return the energies, and below them the pressures, of several models.

    :param curves: at least one.
    """
    energies: list[Mark] = []
    pressures: list[Mark] = []
    for number, each in enumerate(curves):
        colour, marker = by_number(COLOURS, number), by_number(MARKERS, number)
        for marks, points, line in (
            (energies, each.energies, each.curve),
            (pressures, each.pressures, each.curve_pressures),
        ):
            if len(each.drawn):
                marks.append(
                    Series(f"{each.name}, fit", each.drawn, line, colour=colour, marker=None, line="solid",
                           in_legend=False)
                )  # fmt: skip
            in_legend = marks is energies
            marks.append(Series(each.name, each.volumes, points, colour=colour, marker=marker, in_legend=in_legend))
    volume = "volume (Å³ a formula unit)"
    caption = (
        "Points are the crystal at each volume, lines the equation of state fitted to the energies. Below, the points "
        "are pressures by the model's stress, which the fit has not seen, and the lines its own."
    )
    panels = [
        Panel(Axis(""), Axis("energy (eV a formula unit)"), energies),
        Panel(Axis(volume), Axis("pressure (GPa)"), pressures),
    ]
    return Chart("equation-of-state", title, caption, panels, shares_x=True)

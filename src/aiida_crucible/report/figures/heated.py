"""What a crystal does when it is heated, and the heat that its phonons carry, against the temperature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.report.charts.chart import COLOURS, LINES, MARKERS, Axis, Chart, Mark, Panel, Series, by_number

Array = NDArray[np.float64]

PANELS = (
    ("volume", "volume (Å³ a formula unit)", 1.0),
    ("thermal_expansion", "thermal expansion (10⁻⁶/K)", 1e6),
    ("heat_capacity", "Cp (J/(K mol))", 1.0),
    ("bulk_modulus", "bulk modulus (GPa)", 1.0),
)
DIAGONAL = ("xx", "yy", "zz")


@dataclass(frozen=True)
class HeatedCrystal:
    """One model's quasi-harmonic numbers.

    :param name: of the model.
    :param temperatures: K, [n].
    :param values: by the names of :data:`PANELS`, [n] each.
    :param errors: likewise; NaN where nobody knows.
    """

    name: str
    temperatures: Array
    values: Mapping[str, Array]
    errors: Mapping[str, Array]


@dataclass(frozen=True)
class HeatCarried:
    """One model's conductivity.

    :param name: of the model.
    :param temperatures: K, [n].
    :param tensor: W/(m K), [n, 3, 3].
    :param errors: likewise.
    :param frequencies: THz, of all modes of the mesh, [n_modes].
    :param lifetimes: ps, at ``temperature``, [n_modes].
    :param temperature: K.
    """

    name: str
    temperatures: Array
    tensor: Array
    errors: Array
    frequencies: Array
    lifetimes: Array
    temperature: float


def heated_chart(crystals: Sequence[HeatedCrystal], title: str) -> Chart:
    """Return volume, thermal expansion, heat capacity and bulk modulus of several models.

    :param crystals: at least one.
    """
    panels = []
    for number, (name, quantity, factor) in enumerate(PANELS):
        marks: list[Mark] = [
            Series(
                each.name,
                each.temperatures,
                factor * each.values[name],
                y_error=factor * each.errors[name],
                colour=by_number(COLOURS, index),
                marker=None,
                line=by_number(LINES, index),
                has_area=True,
                in_legend=number == 0,
            )
            for index, each in enumerate(crystals)
        ]
        below = number >= len(PANELS) - 2
        panels.append(Panel(Axis("temperature (K)" if below else ""), Axis(quantity), marks))
    caption = (
        "The crystal at zero pressure in the quasi-harmonic approximation: at each temperature the volume of the "
        "lowest free energy, and what follows from it. Areas are errors by the range of volumes and the form of the "
        "curve; a line ends where the volume leaves those that were sampled."
    )
    return Chart("thermal-expansion", title, caption, panels, columns=2, shares_x=True, size=(4.2, 2.2))


def conductivity_chart(carried: Sequence[HeatCarried], title: str) -> Chart:
    """Return conductivities against the temperature, and lifetimes of phonons against their frequency.

    :param carried: at least one.
    """
    conductivities: list[Mark] = []
    lifetimes: list[Mark] = []
    for number, each in enumerate(carried):
        colour, marker = by_number(COLOURS, number), by_number(MARKERS, number)
        diagonal = np.diagonal(each.tensor, axis1=1, axis2=2)
        errors = np.diagonal(each.errors, axis1=1, axis2=2)
        alike = bool(np.allclose(diagonal, diagonal[:, :1], rtol=1e-3, equal_nan=True))
        for axis in range(1 if alike else 3):
            name = each.name if alike else f"{each.name}, {DIAGONAL[axis]}"
            line = by_number(LINES, axis)
            conductivities.append(
                Series(name, each.temperatures, diagonal[:, axis], y_error=errors[:, axis], colour=colour,
                       marker=marker, line=line)
            )  # fmt: skip
        told = f"{each.name}, {each.temperature:g} K"
        lifetimes.append(
            Series(told, each.frequencies, each.lifetimes, colour=colour, marker=marker, size=2.5, opacity=0.5,
                   in_legend=False)
        )  # fmt: skip
    caption = (
        "Above, the lattice thermal conductivity; errors are its changes by the mesh of wave vectors. Below, the "
        "lifetime of each phonon of the mesh by its scattering with two others."
    )
    panels = [
        Panel(Axis("temperature (K)", is_logarithmic=True), Axis("κ (W/(m K))", is_logarithmic=True), conductivities),
        Panel(Axis("frequency (THz)"), Axis("lifetime (ps)", is_logarithmic=True), lifetimes),
    ]
    return Chart("thermal-conductivity", title, caption, panels)

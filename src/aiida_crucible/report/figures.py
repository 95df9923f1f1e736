"""Figures of phonon band structures, from plain arrays."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import AutoMinorLocator

if TYPE_CHECKING:
    from aiida.orm import BandsData, XyData
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

WAVENUMBERS_PER_TERAHERTZ = 33.35640951981521
"""cm⁻¹ per THz: 10¹² / (100 c)."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette, told apart by colour-blind readers too (the line styles serve grey print)."""
LINE_STYLES = ("-", (0, (5, 2)), (0, (1, 1.2)), "-.")
IMAGINARY_SHADE = "0.93"


@dataclass(frozen=True)
class DensityOfStates:
    """A phonon density of states.

    :param frequencies: [n] in THz.
    :param density: [n] in states per THz and cell.
    """

    frequencies: NDArray[np.float64]
    density: NDArray[np.float64]


@dataclass(frozen=True)
class BandStructure:
    """The phonon bands of one model along a path of reciprocal space.

    :param name: whose bands they are, for the legend.
    :param distances: [n_q] along the path, 1/Å (any origin), increasing; equal where the path jumps.
    :param frequencies: [n_q, n_modes] in THz; negative ones are imaginary.
    :param ticks: the path's special points in order: (index into ``distances``, label). Two neighbouring
        indices with different labels are a jump.
    :param noise_floor: [n_q] the largest imaginary frequency that the model's own noise could make, THz, positive;
        ``None`` if unknown.
    :param dos: density of states beside the bands.
    """

    name: str
    distances: NDArray[np.float64]
    frequencies: NDArray[np.float64]
    ticks: Sequence[tuple[int, str]]
    noise_floor: NDArray[np.float64] | None = None
    dos: DensityOfStates | None = None

    def breaks(self) -> list[int]:
        """Return the indices at which a new stretch of the path begins."""
        return [after for (before, _), (after, _) in itertools.pairwise(self.ticks) if after == before + 1]

    def corners(self) -> list[tuple[float, str]]:
        """Return (distance, label) of the special points, both ends of a jump as one: ``X|U``."""
        corners: list[tuple[float, str]] = []
        previous = None
        for index, label in self.ticks:
            text = pretty_label(label)
            if previous is not None and index == previous + 1:
                if text != corners[-1][1]:
                    corners[-1] = (corners[-1][0], f"{corners[-1][1]}|{text}")
            else:
                corners.append((float(self.distances[index]), text))
            previous = index
        return corners


def band_structure(name: str, bands: BandsData, dos: XyData | None = None) -> BandStructure:
    """Return the band structure that AiiDA nodes hold, such as the outputs of a ``PhononWorkChain``.

    :param name: whose bands they are.
    :param bands: frequencies in THz along a path, with labels; its array ``resolvable`` (THz, [n_q, n_modes]), where
        there is one, gives the noise floor of the lowest mode.
    :param dos: frequencies in THz, and the density of states as its first array.
    """
    points = np.asarray(bands.get_kpoints(cartesian=True))
    ticks = [(int(index), str(label)) for index, label in bands.labels or []]
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    for (before, _), (after, _) in itertools.pairwise(ticks):
        if after == before + 1:
            steps[before] = 0.0
    return BandStructure(
        name,
        np.concatenate([[0.0], np.cumsum(steps)]),
        np.asarray(bands.get_bands()),
        ticks,
        np.asarray(bands.get_array("resolvable"))[:, 0] if "resolvable" in bands.get_arraynames() else None,
        None if dos is None else DensityOfStates(dos.get_x()[1], dos.get_y()[0][1]),
    )


def pretty_label(label: str) -> str:
    """Return a special point's name as a figure shows it: ``GAMMA`` as Γ, ``S_0`` with an index."""
    if label.upper() in ("GAMMA", "G", "Γ", "\\GAMMA"):
        return "Γ"
    stem, _, index = label.partition("_")
    return f"{stem}$_{{{index}}}$" if index else label


def plot_band_structures(structures: Sequence[BandStructure], title: str = "") -> Figure:
    """Draw the bands of several models over each other, with the densities of states beside where they are given.

    Cells differ from model to model, so each path is stretched, segment by segment, onto that of the first. The region
    of imaginary frequencies is shaded, and each model's noise floor is a dotted line in it.

    :param structures: at least one; all along the same special points.
    :param title: above the figure.
    :return: a figure that belongs to no window, ready for ``savefig``.
    :raises ValueError: if there is nothing to draw, or the paths differ.
    """
    if not structures:
        raise ValueError("there is no band structure to draw")
    corners = structures[0].corners()
    for structure in structures[1:]:
        if [label for _, label in structure.corners()] != [label for _, label in corners]:
            raise ValueError(
                f"the bands of {structure.name} and {structures[0].name} follow different paths: draw them apart"
            )
    with_dos = any(structure.dos is not None for structure in structures)
    figure = Figure(figsize=(7.0 if with_dos else 5.6, 4.2), dpi=200, layout="constrained")
    panels = figure.subplots(1, 2 if with_dos else 1, sharey=True, squeeze=False, width_ratios=[3.4, 1][: 1 + with_dos])
    axes = panels[0, 0]
    for number, structure in enumerate(structures):
        _draw_bands(axes, structure, corners, number)
    _draw_frame(axes, corners)
    if with_dos:
        _draw_densities(panels[0, 1], structures)
    _draw_frequency_axes(panels[0], structures)
    if any(structure.noise_floor is not None for structure in structures):
        axes.plot([], [], label="noise floor", color="0.4", linestyle=":", linewidth=0.8)
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=8, title=title or None)
    return figure


def _style(number: int) -> dict[str, Any]:
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": LINE_STYLES[number % len(LINE_STYLES)]}


def _draw_bands(axes: Axes, structure: BandStructure, corners: Sequence[tuple[float, str]], number: int) -> None:
    positions = np.asarray(structure.distances, dtype=float)
    if corners:
        own = [distance for distance, _ in structure.corners()]
        positions = np.interp(positions, own, [distance for distance, _ in corners])
    style = _style(number)
    breaks = structure.breaks()
    for begin, end in zip([0, *breaks], [*breaks, len(positions)], strict=True):
        axes.plot(positions[begin:end], structure.frequencies[begin:end], linewidth=1.0, **style)
        if structure.noise_floor is not None:
            floor = -structure.noise_floor[begin:end]
            axes.plot(positions[begin:end], floor, color=style["color"], linestyle=":", linewidth=0.8)
    axes.plot([], [], label=structure.name, linewidth=1.4, **style)


def _draw_frame(axes: Axes, corners: Sequence[tuple[float, str]]) -> None:
    for distance, _ in corners[1:-1]:
        axes.axvline(distance, color="0.6", linewidth=0.6, zorder=0)
    axes.set_xticks([distance for distance, _ in corners], [label for _, label in corners])
    axes.tick_params(axis="x", length=0)
    if corners:
        axes.set_xlim(corners[0][0], corners[-1][0])
    else:
        axes.set_xlabel("distance along the path")
        axes.margins(x=0)


def _draw_densities(axes: Axes, structures: Sequence[BandStructure]) -> None:
    for number, structure in enumerate(structures):
        if structure.dos is not None:
            axes.plot(structure.dos.density, structure.dos.frequencies, linewidth=1.0, **_style(number))
    axes.set_xlim(left=0.0)
    axes.set_xticks([])
    axes.set_xlabel("DOS")


def _draw_frequency_axes(panels: Sequence[Axes], structures: Sequence[BandStructure]) -> None:
    lowest = min(float(np.min(structure.frequencies)) for structure in structures)
    highest = max(float(np.max(structure.frequencies)) for structure in structures)
    floors = [float(structure.noise_floor.max()) for structure in structures if structure.noise_floor is not None]
    margin = 0.04 * (highest - min(lowest, 0.0))
    bottom = min(lowest, 0.0, *(-floor for floor in floors)) - margin
    panels[0].set_ylim(bottom, highest + margin)
    panels[0].set_ylabel("frequency (THz)")
    panels[0].yaxis.set_minor_locator(AutoMinorLocator())
    for axes in panels:
        axes.axhspan(bottom, 0.0, color=IMAGINARY_SHADE, zorder=0, linewidth=0)
        axes.axhline(0.0, color="0.3", linewidth=0.6, zorder=1)
    panels[0].annotate(
        "imaginary",
        (1.0, bottom),
        (-3, 2),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        fontsize=6,
        color="0.4",
        ha="right",
    )
    right = panels[-1].secondary_yaxis("right", functions=(_to_wavenumbers, _to_terahertz))
    right.set_ylabel("wavenumber (cm⁻¹)")
    right.yaxis.set_minor_locator(AutoMinorLocator())


def _to_wavenumbers(terahertz: ArrayLike) -> ArrayLike:
    return np.asarray(terahertz) * WAVENUMBERS_PER_TERAHERTZ


def _to_terahertz(wavenumbers: ArrayLike) -> ArrayLike:
    return np.asarray(wavenumbers) / WAVENUMBERS_PER_TERAHERTZ

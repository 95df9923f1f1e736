"""Figures of phonon band structures, from plain arrays."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.report.charts.chart import (
    COLOURS,
    INK,
    LINES,
    MUTED,
    SUBSCRIPTS,
    Axis,
    Chart,
    Level,
    Mark,
    Panel,
    Series,
    Span,
    by_number,
)

if TYPE_CHECKING:
    from aiida.orm import BandsData, XyData
    from matplotlib.figure import Figure

WAVENUMBERS_PER_TERAHERTZ = 33.35640951981521
"""cm⁻¹ per THz: 10¹² / (100 c)."""


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
    :param spread: [n_q, n_modes] standard deviation over the members of a committee, THz; ``None`` without one.
    """

    name: str
    distances: NDArray[np.float64]
    frequencies: NDArray[np.float64]
    ticks: Sequence[tuple[int, str]]
    noise_floor: NDArray[np.float64] | None = None
    dos: DensityOfStates | None = None
    spread: NDArray[np.float64] | None = None

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
        np.asarray(bands.get_array("spread")) if "spread" in bands.get_arraynames() else None,
    )


def pretty_label(label: str) -> str:
    """Return a special point's name as a figure shows it: ``GAMMA`` as Γ, ``S_0`` with an index."""
    if label.upper() in ("GAMMA", "G", "Γ", "\\GAMMA"):
        return "Γ"
    stem, _, index = label.partition("_")
    return stem + index.translate(SUBSCRIPTS)


def band_chart(structures: Sequence[BandStructure], title: str = "", name: str = "phonon-bands") -> Chart:
    """Return the bands of several models over each other, with the densities of states beside where they are given.

    Cells differ from model to model, so each path is stretched, segment by segment, onto that of the first. The region
    of imaginary frequencies is shaded, and each model's noise floor is a dotted line in it.

    :param structures: at least one; all along the same special points.
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
    limits = _frequency_limits(structures)
    frequencies = Axis("frequency (THz)", limits)
    shaded: list[Mark] = [Span("imaginary", "y", limits[0], 0.0, MUTED), Level("", "y", 0.0, INK, "solid", 0.6)]
    ends = (corners[0][0], corners[-1][0]) if corners else (0.0, float(structures[0].distances[-1]))
    path = Axis("" if corners else "distance along the path (1/Å)", ends, corners or None)
    lines: list[Mark] = [Level("", "x", distance, MUTED, "solid", 0.6) for distance, _ in corners[1:-1]]
    drawn = [mark for number, each in enumerate(structures) for mark in _drawn_bands(each, corners, number)]
    wavenumbers = ("wavenumber (cm⁻¹)", WAVENUMBERS_PER_TERAHERTZ)
    densities = [_density(each, number) for number, each in enumerate(structures) if each.dos is not None]
    has_densities = bool(densities)
    left = Axis("frequency (THz)", limits, second=None if has_densities else wavenumbers)
    panels = [Panel(path, left, [*shaded, *lines, *drawn])]
    if has_densities:
        top = 1.05 * max(float(np.max(each.x)) for each in densities)
        states = Axis("density of states", (0.0, top), [])
        panels.append(
            Panel(states, Axis(frequencies.title, limits, second=wavenumbers), [*shaded, *densities], width=0.3)
        )
    floor = " Dotted: the largest imaginary frequency that the noise of the model's own forces could make."
    spread = " Shaded along a line: the standard deviation over the members of a committee."
    has_spread = any(each.spread is not None for each in structures)
    has_floor = any(each.noise_floor is not None for each in structures)
    return Chart(
        name,
        title,
        "Phonon frequencies along a path of reciprocal space; imaginary ones are drawn as negative, on grey."
        + (floor if has_floor else "")
        + (spread if has_spread else ""),
        panels,
        columns=len(panels),
        shares_y=True,
        size=(5.2, 3.9),
    )


def plot_band_structures(structures: Sequence[BandStructure], title: str = "") -> Figure:
    """Return :func:`band_chart` as a figure of matplotlib that belongs to no window, ready for ``savefig``."""
    from aiida_crucible.report.charts.static import draw

    return draw(band_chart(structures, title))


def _drawn_bands(structure: BandStructure, corners: Sequence[tuple[float, str]], number: int) -> list[Mark]:
    positions = np.asarray(structure.distances, dtype=float)
    if corners:
        own = [distance for distance, _ in structure.corners()]
        positions = np.interp(positions, own, [distance for distance, _ in corners])
    breaks = structure.breaks()
    x = _with_gaps(positions, breaks)
    colour = by_number(COLOURS, number)
    # One series a model: its bands one after the other, with a gap between them.
    columns = [_with_gaps(band, breaks) for band in np.asarray(structure.frequencies, dtype=float).T]
    style: dict[str, Any] = {"colour": colour, "marker": None, "width": 1.0}
    spread = None
    if structure.spread is not None:
        spread = np.concatenate([_with_gaps(band, breaks) for band in np.asarray(structure.spread, dtype=float).T])
    lines: dict[str, Any] = {"line": by_number(LINES, number), "y_error": spread, "has_area": spread is not None}
    marks: list[Mark] = [Series(structure.name, np.tile(x, len(columns)), np.concatenate(columns), **lines, **style)]
    if structure.noise_floor is not None:
        floor = _with_gaps(-np.asarray(structure.noise_floor), breaks)
        marks.append(Series(f"noise floor of {structure.name}", x, floor, line="dot", in_legend=False, **style))
    return marks


def _with_gaps(values: NDArray[np.float64], breaks: Sequence[int]) -> NDArray[np.float64]:
    """Return values with one that is not a number at each break and at the end, where a line is interrupted."""
    return np.append(np.insert(values, list(breaks), np.nan), np.nan)


def _density(structure: BandStructure, number: int) -> Series:
    assert structure.dos is not None
    line, colour = by_number(LINES, number), by_number(COLOURS, number)
    return Series(
        structure.name,
        structure.dos.density,
        structure.dos.frequencies,
        colour=colour,
        marker=None,
        line=line,
        width=1.0,
    )


def _frequency_limits(structures: Sequence[BandStructure]) -> tuple[float, float]:
    lowest = min(float(np.min(structure.frequencies)) for structure in structures)
    highest = max(float(np.max(structure.frequencies)) for structure in structures)
    floors = [float(structure.noise_floor.max()) for structure in structures if structure.noise_floor is not None]
    margin = 0.04 * (highest - min(lowest, 0.0))
    return min(lowest, 0.0, *(-floor for floor in floors)) - margin, highest + margin

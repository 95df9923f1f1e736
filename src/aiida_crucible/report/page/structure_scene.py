"""A structure to turn around on a page, drawn by plotly in three dimensions, and as a flat picture for paper."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.data.colors import jmol_colors
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

BOND_LENGTH = 1.05
"""Of the sum of the covalent radii, up to which two atoms are drawn as bonded."""
ON_BORDER = 1e-3
"""Fractional coordinate up to which an atom is on a border of the cell and is drawn on the opposite one as well."""
LARGEST = 400
"""Atoms up to which bonds are drawn."""
PIXELS = 26
"""Of an atom of radius 1 Å."""
DIGITS = 4


def scene(atoms: Atoms) -> dict[str, Any]:
    """Return what plotly takes: atoms by element, bonds and the cell."""
    shown = with_borders(atoms)
    traces = [_line("cell", _edges(atoms), "@muted", 2.0)] if atoms.cell.rank == 3 else []
    if len(shown) <= LARGEST and (bonds := _bonds(shown)):
        traces.append(_line("bonds", bonds, "@muted", 5.0))
    for number in dict.fromkeys(shown.numbers.tolist()):
        own = shown[shown.numbers == number]
        symbol = own.get_chemical_symbols()[0]
        traces.append(
            {
                "type": "scatter3d",
                "mode": "markers",
                "name": symbol,
                "showlegend": True,
                **_coordinates(own.positions),
                "hovertemplate": f"{symbol} (%{{x:.3f}}, %{{y:.3f}}, %{{z:.3f}}) Å<extra></extra>",
                "marker": {
                    "size": round(float(PIXELS * covalent_radii[number] ** 0.6 / max(1.0, len(shown) / 60) ** 0.33), 1),
                    "color": _colour(number),
                    "line": {"color": "@ink", "width": 1},
                    "opacity": 1.0,
                },
            }
        )
    hidden = {"visible": False, "showspikes": False}
    camera = {"eye": {"x": 1.5, "y": 0.9, "z": 0.5}, "projection": {"type": "orthographic"}}
    return {
        "data": traces,
        "layout": {
            "height": 340,
            "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
            "scene": {"xaxis": hidden, "yaxis": hidden, "zaxis": hidden, "aspectmode": "data", "camera": camera},
            "legend": {"orientation": "h", "x": 0, "y": 0, "itemsizing": "constant"},
        },
    }


def picture(atoms: Atoms) -> str:
    """Return the structure as an SVG, seen from the same side."""
    from matplotlib.figure import Figure

    from aiida_crucible.report.charts.files import figure_bytes

    figure = Figure(figsize=(3.2, 3.2))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    shown = with_borders(atoms)
    turn = _view()
    points, radii = shown.positions @ turn, covalent_radii[shown.numbers]
    for begin, end in _edges(atoms) if atoms.cell.rank == 3 else []:
        axes.plot(*np.array([begin @ turn, end @ turn])[:, :2].T, color="0.6", linewidth=0.8, zorder=0)
    scale = 5200 / max(float(np.ptp(points[:, :2], axis=0).max()), 3.0) ** 2
    order = np.argsort(points[:, 2])
    axes.scatter(
        points[order, 0], points[order, 1], s=scale * (radii[order] * 0.8) ** 2, zorder=1,
        c=[_colour(number) for number in shown.numbers[order]], edgecolors="0.25", linewidths=0.7,
    )  # fmt: skip
    axes.set_aspect("equal")
    axes.margins(0.12)
    return figure_bytes(figure, "svg").decode()


def with_borders(atoms: Atoms) -> Atoms:
    """Return a structure with the atoms on a border of the cell drawn on the opposite one as well."""
    if not atoms.pbc.any() or len(atoms) > LARGEST:
        return atoms.copy()
    places = atoms.get_scaled_positions(wrap=True)
    places[np.abs(places - 1) < ON_BORDER] = 0.0
    found = []
    for symbol, place, number in zip(atoms.get_chemical_symbols(), places, atoms.numbers, strict=True):
        shifts = [(0, 1) if periodic and x < ON_BORDER else (0,) for x, periodic in zip(place, atoms.pbc, strict=True)]
        found += [(symbol, place + shift, number) for shift in itertools.product(*shifts)]
    return Atoms(
        [symbol for symbol, _, _ in found],
        scaled_positions=[place for _, place, _ in found],
        cell=atoms.cell,
        pbc=False,
    )


def _view() -> NDArray[np.float64]:
    """Return the rotation to plotly's view: columns are right, up and towards the reader."""
    towards = np.array([1.5, 0.9, 0.5]) / np.linalg.norm([1.5, 0.9, 0.5])
    right = np.cross([0.0, 0.0, 1.0], towards)
    right /= np.linalg.norm(right)
    return np.column_stack([right, np.cross(towards, right), towards])


def _edges(atoms: Atoms) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    corners = [np.array(corner) for corner in itertools.product((0.0, 1.0), repeat=3)]
    cell = atoms.cell.array
    pairs = [(a, b) for a, b in itertools.combinations(corners, 2) if np.abs(a - b).sum() == 1]
    return [(a @ cell, b @ cell) for a, b in pairs]


def _bonds(atoms: Atoms) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    reach = {
        pair: BOND_LENGTH * float(covalent_radii[list(pair)].sum())
        for pair in itertools.combinations_with_replacement(sorted(set(atoms.numbers.tolist())), 2)
    }
    first, second = neighbor_list("ij", atoms, reach)
    return [(atoms.positions[i], atoms.positions[j]) for i, j in zip(first, second, strict=True) if i < j]


def _line(name: str, pairs: list[tuple[NDArray[np.float64], NDArray[np.float64]]], colour: str, width: float) -> Any:
    gap = np.full(3, np.nan)
    points = np.array([point for begin, end in pairs for point in (begin, end, gap)])
    style = {"color": colour, "width": width}
    return {
        "type": "scatter3d", "mode": "lines", "name": name, "showlegend": False, "hoverinfo": "skip",
        "line": style, **_coordinates(points),
    }  # fmt: skip


def _coordinates(points: NDArray[np.float64]) -> dict[str, list[float | None]]:
    rounded = np.round(points, DIGITS) + 0.0
    return {
        axis: [float(value) if np.isfinite(value) else None for value in column]
        for axis, column in zip("xyz", rounded.T, strict=True)
    }


def _colour(number: int) -> str:
    return "#" + "".join(f"{round(255 * float(part)):02x}" for part in jmol_colors[number])

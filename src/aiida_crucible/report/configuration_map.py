"""A map of configurations as a figure, and as a chemiscope file (https://chemiscope.org, "Input file reference")."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from matplotlib.figure import Figure
from numpy.typing import NDArray

DIGITS = 6
"""Decimals of coordinates (Å): chemiscope draws them."""


def chemiscope_text(
    name: str,
    frames: Sequence[Atoms],
    coordinates: NDArray[np.float64],
    samplers: Sequence[str],
    properties: Mapping[str, tuple[NDArray[np.float64], str, str]],
) -> str:
    """Return the content of a chemiscope file.

    :param name: of the data set.
    :param frames: the frames of the map.
    :param coordinates: [n_frames, n_components].
    :param samplers: of each frame.
    :param properties: more numbers of each frame by name: values [n_frames], units, description.
    :raises ValueError: if the numbers are not as many as the frames; one line.
    """
    content: dict[str, Any] = {
        "meta": {"name": name, "references": ["doi 10.1039/c6cp00415f"]},
        "structures": [_structure(atoms) for atoms in frames],
        "properties": {
            f"component {index + 1}": _property(column, "", "kernel principal component")
            for index, column in enumerate(coordinates.T)
        },
    }
    content["properties"]["sampler"] = {"target": "structure", "values": list(samplers)}
    for key, (values, units, description) in properties.items():
        content["properties"][key] = _property(values, units, description)
    for key, item in content["properties"].items():
        if len(item["values"]) != len(frames):
            raise ValueError(f"property {key!r} has {len(item['values'])} values for {len(frames)} frames")
    axes = {"x": {"property": "component 1"}}
    if coordinates.shape[1] > 1:
        axes["y"] = {"property": "component 2"}
    content["settings"] = {"map": {**axes, "symbol": "sampler", "color": {"property": next(iter(properties), "")}}}
    return json.dumps(content, allow_nan=False)


def _property(values: NDArray[np.float64], units: str, description: str) -> dict[str, Any]:
    """Return a property of structures; chemiscope takes ``null`` for a number that is not known."""
    found = [float(value) if np.isfinite(value) else None for value in values]
    return {"target": "structure", "values": found, "units": units, "description": description}


def _structure(atoms: Atoms) -> dict[str, Any]:
    x, y, z = np.round(atoms.positions, DIGITS).T.tolist()
    structure: dict[str, Any] = {"size": len(atoms), "names": atoms.get_chemical_symbols(), "x": x, "y": y, "z": z}
    if atoms.cell.any():
        structure["cell"] = np.round(atoms.cell.array, DIGITS).ravel().tolist()
    return structure


WIDTH, HEIGHT = 5.0, 4.4
"""Inches of one panel."""


def draw_map(
    coordinates: NDArray[np.float64],
    samplers: Sequence[str],
    explained: Sequence[float],
    sigma: NDArray[np.float64] | None = None,
) -> Figure:
    """Return the map of frames: coloured by sampler and, where σ is known, by it in a second panel.

    :param coordinates: [n_frames, n_components]; a map of one component is drawn against the frames' order.
    :param samplers: of each frame.
    :param explained: share of the variance of each component.
    :param sigma: anharmonicity of each frame, NaN where unknown, [n_frames].
    """
    n_panels = 1 if sigma is None else 2
    figure = Figure(figsize=(WIDTH * n_panels, HEIGHT), layout="constrained")
    axes = figure.subplots(1, n_panels, squeeze=False)[0]
    x = coordinates[:, 0]
    y = coordinates[:, 1] if coordinates.shape[1] > 1 else np.arange(len(x), dtype=float)
    names = np.array(samplers)
    for name in dict.fromkeys(samplers):
        own = names == name
        axes[0].scatter(x[own], y[own], s=12, alpha=0.7, label=f"{name} ({own.sum()})", linewidths=0)
    axes[0].legend(frameon=False)
    axes[0].set_title("by sampler")
    if sigma is not None:
        known = np.isfinite(sigma)
        axes[1].scatter(x[~known], y[~known], s=12, color="0.8", linewidths=0)
        points = axes[1].scatter(x[known], y[known], s=12, c=sigma[known], cmap="viridis", linewidths=0)
        figure.colorbar(points, ax=axes[1], label="σ(t)")
        axes[1].set_title("by anharmonicity")
    for axis in axes:
        axis.set_xlabel(f"component 1 ({100 * explained[0]:.0f} %)")
        axis.set_ylabel(f"component 2 ({100 * explained[1]:.0f} %)" if len(explained) > 1 else "frame")
        axis.set_xticks([])
        axis.set_yticks([])
    return figure

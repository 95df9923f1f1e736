"""A map of configurations as a chemiscope file (https://chemiscope.org, documented under "Input file reference")."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
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

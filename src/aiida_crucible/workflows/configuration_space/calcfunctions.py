"""A map of configurations as a figure and as a chemiscope file, with provenance."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, Dict, Int, SinglefileData, TrajectoryData
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.nodes.anharmonicity_scores import SIGMA, sigma_by_frame
from aiida_crucible.nodes.structures import trajectory_to_atoms

NUMERICS = 1
"""Raise it when the same inputs give other numbers: AiiDA's caching follows the text of this file."""

PIXELS_PER_INCH = 150


@calcfunction
def spread_scores(details: ArrayData, trajectory: TrajectoryData, run: Int) -> ArrayData:
    """Return σ(t) of a trajectory: ``sigma``, one number for each frame, NaN where it has none.

    :param details: of a measurement of anharmonicity.
    :param trajectory: one of its runs.
    :param run: the number that it has there.
    """
    return ArrayData({SIGMA: sigma_by_frame(details, run.value, trajectory.numsteps)})


@calcfunction
def draw_configuration_space(results: Dict, map: ArrayData, **nodes: Any) -> dict[str, SinglefileData]:  # noqa: A002
    """Return ``figure`` (PNG) and ``chemiscope`` (JSON) of a map.

    :param results: of the job.
    :param map: of the job.
    :param nodes: ``trajectory_NAME`` and, where it is known, ``sigma_NAME`` of each sampler.
    """
    from aiida_crucible.report.configuration_map import chemiscope_text, draw_map

    summary = results["summary"]
    names = sorted(summary["samplers"])
    samplers = [names[index] for index in map.get_array("sampler")]
    places = [int(place) for place in map.get_array("frame")]
    frames = _frames(nodes, samplers, places)
    sigma = _sigma(nodes, samplers, places)
    coordinates = map.get_array("coordinates")
    properties = {"frame": (np.array(places, dtype=float), "", "place in the sampler's trajectory")}
    if sigma is not None:
        properties = {SIGMA: (sigma, "", "anharmonicity of the frame"), **properties}
    text = chemiscope_text("configuration space", frames, coordinates, samplers, properties)
    picture = io.BytesIO()
    draw_map(coordinates, samplers, summary["explained"], sigma).savefig(picture, format="png", dpi=PIXELS_PER_INCH)
    picture.seek(0)
    return {
        "figure": SinglefileData(picture, filename="configuration_space.png"),
        "chemiscope": SinglefileData(io.BytesIO(text.encode()), filename="configuration_space.json"),
    }


def _frames(nodes: dict[str, Any], samplers: list[str], places: list[int]) -> list[Atoms]:
    """Return the frames of a map in its order."""
    wanted = set(zip(samplers, places, strict=True))
    found: dict[tuple[str, int], Atoms] = {}
    for name in dict.fromkeys(samplers):
        trajectory: TrajectoryData = nodes[f"trajectory_{name}"]
        for place, atoms in enumerate(trajectory_to_atoms(trajectory)):
            if (name, place) in wanted:
                found[name, place] = atoms
    return [found[key] for key in zip(samplers, places, strict=True)]


def _sigma(nodes: dict[str, Any], samplers: list[str], places: list[int]) -> NDArray[np.float64] | None:
    """Return σ of each frame, NaN where unknown; ``None`` where it is unknown of all."""
    known = {name: nodes[f"sigma_{name}"].get_array(SIGMA) for name in set(samplers) if f"sigma_{name}" in nodes}
    if not known:
        return None
    return np.array(
        [known[name][place] if name in known else np.nan for name, place in zip(samplers, places, strict=True)]
    )

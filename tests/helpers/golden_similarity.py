"""What the chemiscope file of a map says, for the guard of its calcfunction."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from perovskite import rattled

from aiida_crucible.report.configuration_map import chemiscope_text


def mapped() -> dict[str, Any]:
    """Return the content of the file of three frames of two samplers."""
    frames = list(rattled(3, repeat=1).values())
    coordinates = np.array([[0.1, -0.2], [0.3, 0.4], [-0.4, -0.2]])
    properties = {
        "sigma": (np.array([0.2, np.nan, 0.4]), "", "anharmonicity of the frame"),
        "frame": (np.arange(3.0), "", "place in the sampler's trajectory"),
    }
    text = chemiscope_text("configuration space", frames, coordinates, ["own", "own", "reference"], properties)
    content: dict[str, Any] = json.loads(text)
    return content

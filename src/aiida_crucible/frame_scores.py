"""σ(t) of a trajectory's frames, from what a measurement of its anharmonicity left behind."""

from __future__ import annotations

import numpy as np
from aiida.orm import ArrayData, TrajectoryData
from numpy.typing import NDArray

SIGMA = "sigma"
"""Array of σ(t): one number for each frame of a sampler's trajectory."""
DETAILS = ("scores", "runs", "frames")
"""Arrays of an output ``details`` of :class:`crucible.anharmonicity` that say σ of some frames of some runs."""


def are_details(node: ArrayData) -> bool:
    """Return whether a node is the details of a measurement, and not σ(t) itself."""
    return SIGMA not in node.get_arraynames() and DETAILS[0] in node.get_arraynames()


def run_in_details(details: ArrayData, trajectory: TrajectoryData) -> int:
    """Return which run of a measurement a trajectory is, by the provenance of its details.

    Details that nothing made, such as a copy, have to be of a single run.

    :raises ValueError: one line, if it is none of them, or the details do not say of which frames they are.
    """
    missing = [name for name in DETAILS if name not in details.get_arraynames()]
    if missing:
        raise ValueError(
            f"they have no array {missing[0]!r}, and so belong to no frames: measure the anharmonicity again"
        )
    runs = details.get_array("runs")
    measured = [] if details.creator is None else details.creator.base.links.get_incoming(TrajectoryData).all()
    measured.sort(key=lambda link: link.link_label)
    if measured:
        found = [index for index, link in enumerate(measured) if link.node.uuid == trajectory.uuid]
        if not found:
            names = ", ".join(f"{link.link_label} (PK {link.node.pk})" for link in measured)
            raise ValueError(f"they are of the frames of {names}, and not of this trajectory: give one of those")
        run = found[0]
    elif len(set(runs.tolist())) > 1:
        raise ValueError(
            "they are of several runs, and nothing says which of them this trajectory is: give sigma instead"
        )
    else:
        run = int(runs[0])
    frames = details.get_array("frames")[runs == run]
    if not len(frames):
        raise ValueError("no frame of this trajectory has a score: leave them out")
    if frames.max() >= trajectory.numsteps:
        raise ValueError(f"they are of frame {frames.max()}, but the trajectory has {trajectory.numsteps}")
    return run


def sigma_by_frame(details: ArrayData, run: int, n_frames: int) -> NDArray[np.float64]:
    """Return σ of each frame of a run, NaN for frames that were left out, shape [n_frames].

    :param details: of a measurement.
    :param run: its number there.
    :param n_frames: of its trajectory.
    """
    scores, runs, frames = (details.get_array(name) for name in DETAILS)
    sigma = np.full(n_frames, np.nan)
    sigma[frames[runs == run]] = scores[runs == run]
    return sigma

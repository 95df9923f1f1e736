"""σ(t) of a trajectory's frames, from what a measurement of its anharmonicity left behind."""

from __future__ import annotations

import numpy as np
from aiida.common.links import LinkType
from aiida.orm import ArrayData, TrajectoryData
from aiida.orm.utils.links import LinkTriple
from numpy.typing import NDArray

SIGMA = "sigma"
"""Array of σ(t): one number for each frame of a sampler's trajectory."""
OF_COMBINATION = "details_"
"""How the output of a benchmark's measurement begins that is the details of a combination."""
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
    measured = _measured(details)
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


def _measured(details: ArrayData) -> list[LinkTriple]:
    """Return the trajectories that a measurement counted as its runs, in the order of their numbers."""
    made = details.base.links.get_incoming(link_type=LinkType.CREATE).all()
    if not made:
        return []
    links = made[0].node.base.links.get_incoming(TrajectoryData).all()
    # A benchmark measures all combinations of a material in one step, of which each has its own runs.
    if made[0].link_label.startswith(OF_COMBINATION):
        combination = made[0].link_label.removeprefix(OF_COMBINATION)
        temperature = combination.rpartition("_")[2] if combination.startswith("own_frames") else None
        wanted = "reference_trajectory" if temperature is None else f"{temperature}_"
        links = [link for link in links if link.link_label.startswith(wanted)]
    return sorted(links, key=lambda link: link.link_label)


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

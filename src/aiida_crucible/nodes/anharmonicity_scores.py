"""The anharmonicity score of nodes: frames, force constants and a crystal in, values out; and σ(t) frame by frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida.common.links import LinkType
from aiida.orm import ArrayData, Data, StructureData, TrajectoryData
from numpy.typing import NDArray

from aiida_crucible.analysis.anharmonicity.combinations import OWN, REFERENCE, Combination, why_no_score
from aiida_crucible.analysis.anharmonicity.run import analyse_anharmonicity
from aiida_crucible.analysis.anharmonicity.settings import FRAMES_CRYSTAL, temperature_of
from aiida_crucible.analysis.benchmark.stability_classes import CANNOT_TELL
from aiida_crucible.compat.aiida_orm import LinkTriple
from aiida_crucible.nodes.force_data import FORCES, after_discarded, force_constants_of, run_of
from aiida_crucible.nodes.structures import to_atoms


def score_combination(
    structure: StructureData,
    force_constants: ArrayData,
    settings: Mapping[str, Any],
    combination: Mapping[str, Any],
    trajectories: Mapping[str, TrajectoryData],
    *,
    outcomes: Mapping[str, Mapping[str, Any]],
    origin: StructureData | None = None,
    properties: ArrayData | None = None,
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the score of some runs with one set of force constants, and its arrays.

    :param structure: the unit cell that the force constants belong to.
    :param force_constants: see :func:`aiida_crucible.nodes.force_data.force_constants_of`.
    :param settings: complete, see :mod:`aiida_crucible.analysis.anharmonicity.settings`.
    :param combination: see :class:`aiida_crucible.analysis.anharmonicity.combinations.Combination`.
    :param trajectories: runs of the same supercell, independent of each other.
    :param outcomes: by label of an own run ``outcome`` and ``reason``; where one has lost its crystal there is none,
        see :func:`aiida_crucible.analysis.anharmonicity.combinations.why_no_score`.
    :param origin: the unit cell of the crystal that the frames belong to; counts where the settings say so.
    :param properties: ``forces`` (eV/Å) of the one trajectory's frames, where they are not its own.
    :return: the combination with the values of
        :func:`aiida_crucible.analysis.anharmonicity.run.analyse_anharmonicity`, or with the ``reason`` why there are
        none; and its arrays, none then.
    :raises ValueError: one line, if the force constants do not belong to the structure.
    """
    constants = force_constants_of(structure, force_constants)
    lost = why_no_score(outcomes, combination["temperature"]) if combination["frames"] == OWN else None
    if lost is not None:
        return _unknown(combination, lost), {}
    forces = None if properties is None else properties.get_array(FORCES)
    runs = [run_of(trajectories[name], forces) for name in sorted(trajectories)]
    if combination["frames"] == OWN:
        runs = [run.chosen(after_discarded(len(run.positions), settings["discard"])) for run in runs]
    if not any(run.finite.any() for run in runs):
        return _unknown(combination, "no frame has forces that are finite numbers"), {}
    counts_from_frames = settings["origin"] == FRAMES_CRYSTAL and origin is not None
    try:
        analysis = analyse_anharmonicity(runs, constants, settings, to_atoms(origin) if counts_from_frames else None)
    except ValueError as error:  # atoms that left their sites belong to no force constants: that is a result
        return _unknown(combination, str(error)), {}
    return {**combination, **analysis.values}, analysis.arrays


def frames_by_combination(
    reference: TrajectoryData | None, properties: ArrayData | None, own: Mapping[str, TrajectoryData]
) -> list[tuple[Combination, dict[str, Data]]]:
    """Return all combinations that there are frames for, with the inputs of a measurement that hold them.

    :param reference: frames of the reference.
    :param properties: the model's forces there.
    :param own: the model's runs, by labels that begin with their temperature.
    """
    found: list[tuple[Combination, dict[str, Data]]] = []
    if reference is not None:
        frames: dict[str, Data] = {"reference": reference}
        found.append((Combination(REFERENCE, REFERENCE, REFERENCE), frames))
        if properties is not None:
            evaluated = {**frames, "properties": properties}
            found += [(Combination(OWN, REFERENCE, constants), evaluated) for constants in (REFERENCE, OWN)]
    by_temperature: dict[float | None, dict[str, Data]] = {}
    for label in sorted(own):
        by_temperature.setdefault(temperature_of(label), {})[label] = own[label]
    for temperature, runs in by_temperature.items():
        found += [(Combination(OWN, OWN, constants, temperature), runs) for constants in (REFERENCE, OWN)]
    return found


def _unknown(combination: Mapping[str, Any], reason: str) -> dict[str, Any]:
    return {**combination, "class": CANNOT_TELL, "reason": reason}


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

"""The anharmonicity score of nodes: frames, force constants and a crystal in, plain values and arrays out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.orm import ArrayData, Data, StructureData, TrajectoryData
from numpy.typing import NDArray

from aiida_crucible.analysis.anharmonicity.combinations import OWN, REFERENCE, Combination, why_no_score
from aiida_crucible.analysis.anharmonicity.run import analyse_anharmonicity
from aiida_crucible.analysis.anharmonicity.settings import FRAMES_CRYSTAL, temperature_of
from aiida_crucible.analysis.benchmark.stability_classes import CANNOT_TELL
from aiida_crucible.nodes.force_data import FORCES, force_constants_of, run_of, settled
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
        runs = [run.chosen(settled(len(run.positions), settings["discard"])) for run in runs]
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

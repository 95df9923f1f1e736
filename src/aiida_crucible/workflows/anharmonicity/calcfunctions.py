"""Anharmonicity with provenance: what to run and to evaluate, and what follows from the forces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, Data, Dict, StructureData, TrajectoryData
from ase import Atoms

from aiida_crucible.analysis.anharmonicity.combinations import compare_combinations, temperature_curves
from aiida_crucible.analysis.anharmonicity.effective_force_constants import evenly_chosen
from aiida_crucible.analysis.anharmonicity.settings import own_supercell, validate_anharmonicity
from aiida_crucible.analysis.crystal.mapping import map_crystal
from aiida_crucible.nodes.anharmonicity_scores import score_combination
from aiida_crucible.nodes.force_data import chosen_frames
from aiida_crucible.nodes.structures import from_atoms, to_atoms, trajectory_to_atoms

NUMERICS = 5
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


@calcfunction
def draw_start_frames(
    trajectory: TrajectoryData, parameters: Dict, structure: StructureData
) -> dict[str, StructureData]:
    """Return the frames that own runs begin from, drawn at random, each once where there are enough.

    :param trajectory: of the reference.
    :param parameters: see :mod:`aiida_crucible.analysis.anharmonicity.settings`.
    :param structure: the unit cell, whose masses the atoms have.
    :return: ``run_0``, ``run_1`` …
    """
    drawn = drawn_frames(trajectory, validate_anharmonicity(parameters.get_dict()), to_atoms(structure))
    return {f"run_{index}": structure for index, structure in enumerate(drawn)}


@calcfunction
def build_own_supercell(structure: StructureData, parameters: Dict) -> StructureData:
    """Return the ideal supercell that own runs begin from.

    :param structure: the unit cell.
    :param parameters: see :mod:`aiida_crucible.analysis.anharmonicity.settings`.
    """
    return from_atoms(own_supercell(validate_anharmonicity(parameters.get_dict()), to_atoms(structure)))


@calcfunction
def thin_trajectory(trajectory: TrajectoryData, parameters: Dict) -> TrajectoryData:
    """Return at most so many frames as ``frames`` says, evenly spaced, with their forces.

    :param trajectory: of a crystal.
    :param parameters: see :mod:`aiida_crucible.analysis.anharmonicity.settings`.
    """
    return chosen_frames(
        trajectory, evenly_chosen(trajectory.numsteps, validate_anharmonicity(parameters.get_dict())["frames"])
    )


@calcfunction
def measure_anharmonicity(
    structure: StructureData,
    force_constants: ArrayData,
    parameters: Dict,
    combination: Dict,
    runs: Dict,
    *,
    origin: StructureData | None = None,
    properties: ArrayData | None = None,
    **trajectories: TrajectoryData,
) -> dict[str, Data]:
    """Return the anharmonicity scores of some runs with one set of force constants.

    :param structure: the unit cell that the force constants belong to.
    :param force_constants: see :func:`aiida_crucible.nodes.force_data.force_constants_of`.
    :param parameters: see :mod:`aiida_crucible.analysis.anharmonicity.settings`.
    :param combination: ``forces``, ``frames``, ``constants``, ``temperature``, see
        :class:`aiida_crucible.analysis.anharmonicity.combinations.Combination`.
    :param runs: by own run, its ``outcome`` and ``reason``.
    :param origin: the unit cell of the crystal that the frames belong to; counts where the settings say so.
    :param properties: ``forces`` (eV/Å) of the one trajectory's frames, where they are not its own.
    :param trajectories: runs of the same supercell, independent of each other.
    :return: ``score``: the combination and the values of
        :func:`aiida_crucible.analysis.anharmonicity.run.analyse_anharmonicity`, or ``reason`` why there are none; and
        ``details``: its arrays.
    """
    values, arrays = score_combination(
        structure,
        force_constants,
        validate_anharmonicity(parameters.get_dict()),
        combination.get_dict(),
        trajectories,
        outcomes=runs.get_dict(),
        origin=origin,
        properties=properties,
    )
    return {"score": Dict(values), **({"details": ArrayData(arrays)} if arrays else {})}


@calcfunction
def summarise_anharmonicity(missing: Dict, runs: Dict, **scores: Dict) -> dict[str, Data]:
    """Return what the combinations say together.

    :param missing: by combination's label, why it was not measured.
    :param runs: by own run, its ``outcome`` and ``reason``.
    :param scores: by label, see :func:`measure_anharmonicity`.
    :return: ``summary``: ``scores`` (see :func:`compare_combinations`), ``missing``, ``runs``; and where there are own
        runs at known temperatures ``curves`` (see :func:`temperature_curves`).
    """
    plain = {label: score.get_dict() for label, score in scores.items()}
    summary = {"scores": compare_combinations(plain), "missing": missing.get_dict(), "runs": runs.get_dict()}
    curves = temperature_curves(plain)
    return {"summary": Dict(summary), **({"curves": ArrayData(curves)} if curves else {})}


def drawn_frames(trajectory: TrajectoryData, settings: Mapping[str, Any], unit_cell: Atoms) -> list[StructureData]:
    """Return frames that were drawn at random, each once where there are enough.

    :param trajectory: of a crystal.
    :param settings: ``n_runs`` and ``seed``.
    :param unit_cell: of the crystal; its masses are those of the frames, which a trajectory has none of.
    :raises ValueError: one line, if masses are not the elements' own and the frames are of another crystal.
    """
    n_frames, n_runs = trajectory.numsteps, settings["n_runs"]
    drawn = np.random.default_rng(settings["seed"]).choice(n_frames, n_runs, replace=n_runs > n_frames)
    frames = list(trajectory_to_atoms(trajectory))
    return [from_atoms(_with_masses(frames[frame], unit_cell)) for frame in drawn]


def _with_masses(frame: Atoms, unit_cell: Atoms) -> Atoms:
    if unit_cell.has("masses"):
        frame = frame.copy()
        frame.set_masses(map_crystal(frame, unit_cell).ideal.get_masses())
    return frame

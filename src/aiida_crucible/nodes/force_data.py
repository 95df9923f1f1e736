"""Nodes of force constants and of frames with forces, as the analysis takes them."""

from __future__ import annotations

import numpy as np
from aiida.orm import ArrayData, StructureData, TrajectoryData
from ase import Atoms
from ase.data import atomic_numbers
from numpy.typing import ArrayLike, NDArray

from aiida_crucible.analysis.anharmonicity.force_runs import ForceRun, mean_crystal
from aiida_crucible.analysis.phonons.force_constants import ForceConstants
from aiida_crucible.analysis.phonons.lattice_force_constants import (
    STORED_ARRAYS,
    LatticeForceConstants,
    lattice_force_constants,
)
from aiida_crucible.nodes.structures import cells_of, new_trajectory, to_atoms

FORCES = "forces"
ENSEMBLE_FORCES = "ensemble_forces"
DAMPING = "damping_rate"
"""Attribute of a trajectory that was run here: how its thermostat damps single atoms, 1/fs."""
FEMTOSECONDS = 1000.0
"""In a picosecond, AiiDA's unit of the times of a trajectory."""


def force_constants_of(structure: StructureData, node: ArrayData) -> LatticeForceConstants:
    """Return the force constants of a node, such as ``crucible.phonon`` gives.

    :param structure: the unit cell that they belong to.
    :param node: with ``force_constants`` (eV/Å²), ``supercell_matrix`` and ``primitive_matrix``.
    :raises ValueError: one line, if an array is missing or does not fit.
    """
    missing = [name for name in STORED_ARRAYS if name not in node.get_arraynames()]
    if missing:
        raise ValueError(f"force_constants has no array `{missing[0]}`: give {', '.join(STORED_ARRAYS)}")
    values, supercell_matrix, primitive_matrix = (node.get_array(name) for name in STORED_ARRAYS)
    return lattice_force_constants(to_atoms(structure), supercell_matrix, primitive_matrix, values)


def force_constants_node(
    constants: ForceConstants, supercell_matrix: ArrayLike, primitive_matrix: ArrayLike
) -> ArrayData:
    """Return force constants as a new, unstored node, with what they missed the sum rules by as attributes.

    :param constants: symmetrised.
    :param supercell_matrix: as phonopy has it, shape [3, 3].
    :param primitive_matrix: as phonopy has it, shape [3, 3].
    """
    values = (constants.values, np.array(supercell_matrix), np.array(primitive_matrix))
    node = ArrayData(dict(zip(STORED_ARRAYS, values, strict=True)))
    node.base.attributes.set("acoustic_sum_residual", constants.acoustic_sum_residual)
    node.base.attributes.set("index_symmetry_residual", constants.index_symmetry_residual)
    return node


def ensemble_forces(properties: ArrayData) -> NDArray[np.float64] | None:
    """Return what each member of a committee says of forces, eV/Å, [n, n_members, n_atoms, 3]; ``None`` without one.

    :param properties: of structures of one size, as ``crucible.evaluate`` gives them.
    """
    return properties.get_array(ENSEMBLE_FORCES) if ENSEMBLE_FORCES in properties.get_arraynames() else None


def run_of(trajectory: TrajectoryData, forces: NDArray[np.floating] | None = None) -> ForceRun:
    """Return the frames of a trajectory.

    :param trajectory: of a crystal; with an array ``forces`` (eV/Å), unless they are given.
    :param forces: others than its own, eV/Å, shape [n_frames, n_atoms, 3].
    :raises ValueError: one line, if it has no cells or no forces, or they are not of its frames.
    """
    if forces is None:
        require_forces(trajectory)
        forces = trajectory.get_array(FORCES)
    positions = trajectory.get_positions()
    if forces.shape != positions.shape:
        raise ValueError(f"forces of shape {forces.shape} for frames of shape {positions.shape}")
    times = trajectory.get_times()  # ps
    damping: float | None = trajectory.base.attributes.get(DAMPING, None)
    return ForceRun(
        positions,
        _cells(trajectory),
        forces,
        _atomic_numbers(trajectory),
        times=None if times is None else np.asarray(times, dtype=float) * FEMTOSECONDS,
        damping=damping,
    )


def chosen_frames(trajectory: TrajectoryData, chosen: NDArray[np.int64]) -> TrajectoryData:
    """Return some frames of a trajectory with their forces, as a new, unstored one.

    :param trajectory: with an array ``forces`` (eV/Å).
    :param chosen: indices, ascending.
    """
    times = trajectory.get_times()
    found = new_trajectory(
        trajectory.symbols,
        {FORCES: trajectory.get_array(FORCES)[chosen]},
        positions=trajectory.get_positions()[chosen],
        stepids=trajectory.get_stepids()[chosen],
        cells=trajectory.get_cells()[chosen],
        times=None if times is None else times[chosen],
        pbc=trajectory.pbc,
    )
    damping = trajectory.base.attributes.get(DAMPING, None)
    if damping is not None:
        found.base.attributes.set(DAMPING, damping)
    return found


def after_discarded(n_frames: int, discard: float) -> NDArray[np.int64]:
    """Return the indices of the frames after the discarded ones; the last always stays."""
    return np.arange(min(int(discard * n_frames), n_frames - 1), n_frames)


def crystal_of(trajectory: TrajectoryData) -> Atoms:
    """Return the mean of a trajectory's frames.

    :raises ValueError: one line, if it has no cells.
    """
    return mean_crystal(trajectory.get_positions(), _cells(trajectory), _atomic_numbers(trajectory))


def require_forces(trajectory: TrajectoryData) -> None:
    """Refuse frames without forces.

    :raises ValueError: one line.
    """
    if FORCES not in trajectory.get_arraynames():
        raise ValueError(
            "the frames have no forces: give a trajectory with an array `forces` [n_frames, n_atoms, 3] (eV/Å); a run "
            "keeps them with frame_forces, an import reads them from the file"
        )


def _atomic_numbers(trajectory: TrajectoryData) -> NDArray[np.int64]:
    return np.array([atomic_numbers[symbol] for symbol in trajectory.symbols])


def _cells(trajectory: TrajectoryData) -> NDArray[np.float64]:
    cells = cells_of(trajectory)
    if cells is None or not all(trajectory.pbc):
        raise ValueError("the frames are not periodic in three directions: anharmonicity needs a crystal")
    return cells

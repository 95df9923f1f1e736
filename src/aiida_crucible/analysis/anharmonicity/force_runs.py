"""Runs of a crystal: frames with forces, put beside the ideal crystal and its force constants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.displacements import centred_differences, displacements, frame_chunks
from aiida_crucible.analysis.crystal.mapping import CrystalMapping, map_crystal
from aiida_crucible.analysis.phonons.lattice_force_constants import LatticeForceConstants

SMALLEST_VOLUME = 1e-3
"""Å³ of a cell; no crystal has less."""


@dataclass(frozen=True)
class ForceRun:
    """Frames of one run.

    :param positions: Å, shape [n_frames, n_atoms, 3].
    :param cells: Å, shape [n_frames, 3, 3].
    :param forces: eV/Å, shape [n_frames, n_atoms, 3].
    :param numbers: atomic numbers, shape [n_atoms].
    :param chosen_from: place of each frame in the trajectory that they were chosen from, shape [n_frames]; ``None``
        where all of it is here.
    :param times: fs, shape [n_frames]; ``None`` where they are not known.
    :param damping: rate at which its thermostat damps the velocity of each atom, 1/fs, see
        :func:`aiida_crucible.analysis.dynamics.thermostats.damping_rate`; ``None`` where it is not known.
    """

    positions: NDArray[np.floating]
    cells: NDArray[np.floating]
    forces: NDArray[np.floating]
    numbers: NDArray[np.int64]
    chosen_from: NDArray[np.int64] | None = None
    times: NDArray[np.float64] | None = None
    damping: float | None = None

    @property
    def duration(self) -> float | None:
        """The time from its first frame to its last, fs; ``None`` where that is not known."""
        return None if self.times is None or not len(self.times) else float(self.times[-1] - self.times[0])

    @property
    def places(self) -> NDArray[np.int64]:
        """Place of each frame in its trajectory, shape [n_frames]."""
        return np.arange(len(self.positions)) if self.chosen_from is None else self.chosen_from

    @property
    def finite(self) -> NDArray[np.bool_]:
        """Whether a frame holds finite numbers alone, and a cell that has a volume, shape [n_frames]."""
        arrays = (self.positions, self.forces, self.cells)
        whole: NDArray[np.bool_] = np.all([np.isfinite(array).all(axis=(1, 2)) for array in arrays], axis=0)
        cells = np.where(whole[:, None, None], self.cells, 0.0)
        return np.asarray(np.abs(np.linalg.det(cells)) > SMALLEST_VOLUME)

    def chosen(self, frames: NDArray[Any]) -> ForceRun:
        """Return some of the frames.

        :param frames: indices, a slice's, or whether each is wanted.
        """
        return replace(
            self,
            positions=self.positions[frames],
            cells=self.cells[frames],
            forces=self.forces[frames],
            chosen_from=self.places[frames],
            times=None if self.times is None else self.times[frames],
        )


@dataclass(frozen=True)
class MappedRun:
    """A run beside its ideal crystal.

    :param mapping: which site each atom occupies.
    :param reference: the ideal supercell in the run's cell and orientation.
    :param force_constants: of the supercell, eV/Å², in the orientation of the primitive cell, shape
        [3 n_atoms, 3 n_atoms].
    """

    run: ForceRun
    mapping: CrystalMapping
    reference: Atoms
    force_constants: NDArray[np.float64]

    def displacements(self, part: slice | NDArray[Any]) -> NDArray[np.float64]:
        """Return displacements in the primitive cell's orientation, Å, shape [n, n_atoms, 3]."""
        found = displacements(self.run.positions[part], self.run.cells[part], self.reference)
        return np.asarray(found @ self.mapping.rotation)

    def forces(self, part: slice | NDArray[Any]) -> NDArray[np.float64]:
        """Return forces in the primitive cell's orientation, eV/Å, shape [n, n_atoms, 3]."""
        return np.asarray(self.run.forces[part].astype(float) @ self.mapping.rotation)

    def parts(self) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Yield forces and anharmonic forces of some frames after the other, eV/Å, shape [n, 3 n_atoms] each."""
        for part in frame_chunks(*self.run.positions.shape[:2]):
            forces = self.forces(part).reshape(-1, len(self.force_constants))
            moved = self.displacements(part).reshape(forces.shape)
            # F - F², with F² = -Φ u.
            yield forces, forces + moved @ self.force_constants.T


def map_runs(runs: Sequence[ForceRun], constants: LatticeForceConstants, origin: Atoms | None) -> list[MappedRun]:
    """Return the runs with the atoms of all in the order of the first one's.

    :param runs: of the same supercell.
    :param origin: the unit cell of the crystal that displacements are counted from; the force constants' own if
        ``None``.
    :raises ValueError: one line, if one does not fit.
    """
    found: list[MappedRun] = []
    for run in runs:
        mean = mean_crystal(run.positions, run.cells, run.numbers)
        mapping = constants.map(mean)
        reference = (mapping if origin is None else map_crystal(mean, origin)).ideal
        if not found:
            found.append(MappedRun(run, mapping, reference, constants.in_supercell(mapping)))
            continue
        first = found[0]
        if not np.array_equal(mapping.matrix, first.mapping.matrix):
            raise ValueError("the runs are of different supercells: measure them apart")
        order = mapping.find(first.mapping.unit_atoms, first.mapping.translations)
        ordered = replace(
            run, positions=run.positions[:, order], forces=run.forces[:, order], numbers=run.numbers[order]
        )
        turned = replace(mapping, unit_atoms=first.mapping.unit_atoms, translations=first.mapping.translations)
        found.append(MappedRun(ordered, turned, reference[order], first.force_constants))
    return found


def mean_crystal(positions: NDArray[np.floating], cells: NDArray[np.floating], numbers: NDArray[np.int64]) -> Atoms:
    """Return the mean of a run's frames in the cell of its first (:class:`ForceRun`); wraps and drifts do no harm."""
    first = np.asarray(positions[0] @ np.linalg.inv(cells[0]), dtype=float)
    sums = np.zeros(first.shape)
    for part in frame_chunks(*positions.shape[:2]):
        scaled = np.asarray(positions[part] @ np.linalg.inv(cells[part]), dtype=float)
        sums += centred_differences(scaled, first).sum(axis=0)
    return Atoms(numbers, scaled_positions=first + sums / len(positions), cell=cells[0], pbc=True)

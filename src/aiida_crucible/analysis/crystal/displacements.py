"""Displacements of atoms from a reference structure: nearest image, no drift, no strain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

CHUNK = 2_000_000
"""Coordinates that are worked on at once (16 MB an array)."""


def displacements(
    positions: NDArray[np.floating], cells: NDArray[np.floating], reference: Atoms
) -> NDArray[np.float64]:
    """Return how far each atom is from its place in the reference, Å, shape [n_frames, n_atoms, 3].

    Positions are compared in scaled coordinates, so that a strained cell displaces nothing, and the difference is
    turned into Å with the frame's own cell. It is taken to the nearest image, so that wrapping does not matter. The
    displacement of the centre of mass is removed.

    :param positions: Å, shape [n_frames, n_atoms, 3].
    :param cells: rows are vectors, Å, shape [n_frames, 3, 3], or [3, 3] for all frames.
    :param reference: the same atoms in the same order; its cell is the supercell's, of any strain.
    :raises ValueError: one line, if shapes do not fit.
    """
    positions, cells = checked_frames(positions, cells, len(reference))
    scaled_reference, weights = reference.get_scaled_positions(wrap=False), reference.get_masses()
    result = np.empty(positions.shape)
    for part in frame_chunks(*positions.shape[:2]):
        inverse = np.linalg.inv(cells[part].astype(float))
        scaled = np.asarray(positions[part], dtype=float) @ inverse
        differences = centred_differences(scaled, scaled_reference, weights)
        result[part] = differences @ cells[part]
    return result


def centred_differences(
    scaled: NDArray[np.float64], reference: NDArray[np.float64], weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return nearest-image differences of scaled coordinates with their common part removed, shape [..., n_atoms, 3].

    The common part is found as a mean on the circle first, so that a drift of half a cell does not tear the crystal.

    :param scaled: shape [..., n_atoms, 3].
    :param reference: shape [n_atoms, 3].
    :param weights: of the atoms in the common part, shape [n_atoms]; equal ones if ``None``.
    """
    differences = scaled - reference
    phases = np.exp(2j * np.pi * differences).mean(axis=-2, keepdims=True)
    differences -= np.angle(phases) / (2 * np.pi)
    differences -= np.rint(differences)
    differences -= np.average(differences, axis=-2, weights=weights, keepdims=True)
    return np.asarray(differences)


def unwrapped_displacements(
    positions: NDArray[np.floating], cells: NDArray[np.floating], masses: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the paths of atoms from where they were in the first frame, Å, shape [n_frames, n_atoms, 3].

    In the mean cell, so that a breathing cell moves nothing, and with the drift of the centre of mass removed.

    :param positions: unwrapped, Å, shape [n_frames, n_atoms, 3].
    :param cells: Å, shape [n_frames, 3, 3], or [3, 3] for all frames.
    :param masses: shape [n_atoms].
    :raises ValueError: one line, if shapes do not fit.
    """
    positions, cells = checked_frames(positions, cells, len(masses))
    mean_cell = cells.astype(float).mean(axis=0)
    start = positions[0] @ np.linalg.inv(cells[0].astype(float))
    result = np.empty(positions.shape)
    for part in frame_chunks(*positions.shape[:2]):
        paths = positions[part] @ np.linalg.inv(cells[part].astype(float)) - start
        result[part] = (paths - np.average(paths, axis=1, weights=masses, keepdims=True)) @ mean_cell
    return result


def frame_chunks(n_frames: int, n_atoms: int) -> Iterator[slice]:
    """Yield slices of frames that hold a bounded number of coordinates."""
    step = max(1, CHUNK // (3 * n_atoms))
    for start in range(0, n_frames, step):
        yield slice(start, min(start + step, n_frames))


def checked_frames(
    positions: NDArray[np.floating], cells: NDArray[np.floating], n_atoms: int
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return positions and one cell for each frame (a view where there was one for all).

    :raises ValueError: one line, if shapes do not fit or there is no frame.
    """
    positions, cells = _floating(positions), _floating(cells)
    if positions.ndim != 3 or positions.shape[1:] != (n_atoms, 3) or len(positions) == 0:
        raise ValueError(f"positions of shape {positions.shape}: give [n_frames, {n_atoms}, 3] with at least one frame")
    if cells.shape not in ((3, 3), (len(positions), 3, 3)):
        raise ValueError(f"cells of shape {cells.shape}: give [3, 3] or one for each frame, [{len(positions)}, 3, 3]")
    return positions, np.broadcast_to(cells, (len(positions), 3, 3))


def _floating(values: Any) -> NDArray[np.floating]:
    array = np.asarray(values)
    return array if np.issubdtype(array.dtype, np.floating) else array.astype(float)

"""Polarization of a crystal from Born charges and displacements, of the whole cell and cell by cell.

P = (e/V) Σ Z*_i u_i, with u from a centrosymmetric reference by minimum image, which chooses the branch. In e/Å²;
times :data:`MICROCOULOMB_PER_CM2` in µC/cm².
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.displacements import checked_frames, displacements, frame_chunks
from aiida_crucible.analysis.crystal.neighbours import nearest_of_species

MICROCOULOMB_PER_CM2 = 1e22 / units.C
"""µC/cm² in 1 e/Å²: 1602.18."""

LARGEST_CELL_CHARGE = 0.1
"""e: the charge of a local cell beyond which its polarization depends on where the origin lies."""


@dataclass(frozen=True)
class LocalCells:
    """Cells round atoms of one species, which share the atoms between them."""

    centres: NDArray[np.int64]
    """The atoms in their middle, shape [n_cells]."""
    weights: NDArray[np.float64]
    """Share of each atom that belongs to each cell, shape [n_cells, n_atoms]; those of an atom sum to 1."""


@dataclass(frozen=True)
class Polarization:
    """Polarization of each frame, e/Å²."""

    total: NDArray[np.float64]
    """Shape [n_frames, 3]."""
    local: NDArray[np.float64] | None
    """Shape [n_frames, n_cells, 3]; its mean over cells is the total."""


def polarization(
    positions: NDArray[np.floating],
    cells: NDArray[np.floating],
    reference: Atoms,
    charges: NDArray[np.float64],
    local_cells: LocalCells | None = None,
) -> Polarization:
    """Return the polarization of each frame, in its own cell, in e/Å².

    It depends neither on the origin nor on wrapping, as long as no atom is displaced by half the supercell.

    :param positions: Å, shape [n_frames, n_atoms, 3].
    :param cells: Å, shape [n_frames, 3, 3], or [3, 3] for all frames.
    :param reference: the centrosymmetric structure, the same atoms in the same order, its cell of any strain.
    :param charges: Born charges of the same atoms, V dP / du with the first index that of P, e, shape [n_atoms, 3, 3],
        that obey the acoustic sum rule, see :func:`neutral_charges`.
    :param local_cells: see :func:`local_cells_around`; without it ``local`` is ``None``.
    :raises ValueError: one line, if shapes do not fit or if a local cell is charged.
    """
    if len(charges) != len(reference):
        raise ValueError(f"Born charges of {len(charges)} atoms: the reference has {len(reference)}")
    positions, cells = checked_frames(positions, cells, len(reference))
    if local_cells is not None:
        _check_neutral(local_cells, charges)
    total = np.empty((len(positions), 3))
    local = None if local_cells is None else np.empty((len(positions), len(local_cells.centres), 3))
    for part in frame_chunks(*positions.shape[:2]):
        u = displacements(positions[part], cells[part], reference)
        dipoles = np.einsum("iab,nib->nia", charges, u)
        volumes = np.abs(np.linalg.det(cells[part].astype(float)))[:, None]
        total[part] = dipoles.sum(axis=1) / volumes
        if local is not None and local_cells is not None:
            local[part] = local_cells.weights @ dipoles * (len(local_cells.centres) / volumes[:, :, None])
    return Polarization(total, local)


def neutral_charges(tensors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return Born charges with the acoustic sum rule Σ_i Z*_i = 0 enforced, every atom giving the same part.

    :param tensors: of all atoms, e, shape [n_atoms, 3, 3].
    :raises ValueError: one line, if the shape is another one or a number not finite.
    """
    tensors = np.asarray(tensors, dtype=float)
    if tensors.ndim != 3 or tensors.shape[1:] != (3, 3) or len(tensors) == 0:
        raise ValueError(f"Born charges of shape {tensors.shape}: give one 3x3 tensor for each atom")
    if not np.isfinite(tensors).all():
        raise ValueError("Born charges hold numbers that are not finite")
    return np.asarray(tensors - tensors.mean(axis=0))


def local_cells_around(reference: Atoms, centre: str) -> LocalCells:
    """Return cells round the atoms of one species, every other atom shared equally by the centres nearest to it.

    Round Ti of cubic PbTiO3 these are Ti + ½ · 6 O + ⅛ · 8 Pb.

    :param reference: the centrosymmetric structure, in which shells of neighbours are sharp.
    :param centre: chemical symbol of the species in the middle (Ti).
    :raises ValueError: one line, if the structure has no such species.
    """
    symbols = np.array(reference.get_chemical_symbols())
    centres = np.flatnonzero(symbols == centre)
    if len(centres) == 0:
        raise ValueError(
            f"no {centre} in {reference.get_chemical_formula()}: choose one of {', '.join(sorted(set(symbols)))}"
        )
    weights = np.zeros((len(centres), len(reference)))
    weights[np.arange(len(centres)), centres] = 1.0
    row = np.full(len(reference), -1)
    row[centres] = np.arange(len(centres))
    atoms, shared, _ = nearest_of_species(reference, centre)
    counts = np.bincount(atoms, minlength=len(reference))
    # The same centre may be met several times, as an image of itself.
    np.add.at(weights, (row[shared], atoms), 1.0 / counts[atoms])
    return LocalCells(centres, weights)


def _check_neutral(local_cells: LocalCells, charges: NDArray[np.float64]) -> None:
    sums = np.abs(np.tensordot(local_cells.weights, charges, axes=1)).max(axis=(1, 2))
    if sums.max() > LARGEST_CELL_CHARGE:
        centre = local_cells.centres[int(np.argmax(sums))]
        raise ValueError(
            f"the local cell round atom {centre} has a charge of {sums.max():.2f} e, so that its "
            "polarization has no meaning: choose another species for the centres, or a reference of higher "
            "symmetry"
        )

"""Order parameters of displacive transitions: how much of the low-symmetry structure is in each frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import spglib
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.displacements import centred_differences, checked_frames
from aiida_crucible.analysis.crystal.mapping import CrystalMapping


@dataclass(frozen=True)
class DisplacementPattern:
    """The displacements that lead from a high-symmetry structure to a low-symmetry one.

    They are of scaled coordinates, in Å of the high-symmetry cell: strain is no part of them. Their mean over atoms
    is zero, so that no drift of the crystal projects on them.
    """

    cell: NDArray[np.float64]
    """Of the high-symmetry structure, Å, shape [3, 3]."""
    vector: NDArray[np.float64]
    """Å, shape [n_atoms, 3]."""
    equivalents: NDArray[np.float64]
    """Orthonormal patterns that span all domains of the low-symmetry structure, the vector's first, shape
    [n_components, n_atoms, 3]."""

    @property
    def amplitude(self) -> float:
        """Å: the length of the pattern over all atoms."""
        return float(np.linalg.norm(self.vector))

    def repeated(self, sites: CrystalMapping) -> DisplacementPattern:
        """Return the pattern of a supercell in which every unit cell is displaced alike."""
        equivalents = self.equivalents[:, sites.unit_atoms] / np.sqrt(sites.n_cells)
        return DisplacementPattern(sites.matrix @ self.cell, self.vector[sites.unit_atoms], equivalents)


def displacement_pattern(high: Atoms, low: Atoms, tolerance: float = 1e-3) -> DisplacementPattern:
    """Return the displacements from ``high`` to ``low``, of every domain that the symmetry of ``high`` makes of it.

    :param low: the same atoms in the same order; its cell may be strained and its origin shifted.
    :param tolerance: of the symmetry search on ``high``, Å.
    :raises ValueError: one line, if atoms differ, if nothing is displaced, or if ``high`` has no symmetry.
    """
    if not np.array_equal(high.numbers, low.numbers):
        raise ValueError(
            f"the structures {high.get_chemical_formula()} and {low.get_chemical_formula()} have no displacement "
            "pattern: give the same atoms in the same order"
        )
    scaled = high.get_scaled_positions(wrap=False)
    differences = centred_differences(low.get_scaled_positions(wrap=False), scaled)
    vector = differences @ high.cell.array
    if np.linalg.norm(vector) < tolerance:
        raise ValueError("the two structures are the same but for strain: there is no displacement pattern")
    return DisplacementPattern(high.cell.array.copy(), vector, _span(_images(high, differences, tolerance)))


def projections(
    u: NDArray[np.floating], cells: NDArray[np.floating], pattern: DisplacementPattern
) -> NDArray[np.float64]:
    """Return how much of the pattern is in each frame: 0 in the high-symmetry structure, 1 in the low-symmetry one.

    η = Σ u·e / Σ e·e, its sign that of the domain, shape [n_frames]. It vanishes in a domain at a right angle to the
    pattern; :func:`domain_amplitudes` does not.

    :param u: displacements from the high-symmetry structure, in Å of each frame's cell, shape [n_frames, n_atoms, 3].
    :param cells: of the frames, Å, shape [n_frames, 3, 3], or [3, 3] for all frames.
    :raises ValueError: one line, if shapes do not fit.
    """
    return np.asarray(domain_components(u, cells, pattern)[:, 0])


def domain_amplitudes(
    u: NDArray[np.floating], cells: NDArray[np.floating], pattern: DisplacementPattern
) -> NDArray[np.float64]:
    """Return the length of the order parameter whichever domain a frame is in, shape [n_frames].

    It is 1 in every domain of the low-symmetry structure and, being a length, above 0 in the disordered phase: it
    falls there as one over the square root of the supercell's size. Arguments and errors as :func:`projections`.
    """
    return np.asarray(np.linalg.norm(domain_components(u, cells, pattern), axis=1))


def domain_components(
    u: NDArray[np.floating], cells: NDArray[np.floating], pattern: DisplacementPattern
) -> NDArray[np.float64]:
    """Return the components of the order parameter, the pattern's own first, shape [n_frames, n_components].

    In units of the low-symmetry structure's; of a tetragonal crystal's polar pattern these are three at right angles.
    Arguments and errors as :func:`projections`.
    """
    u, cells = checked_frames(u, cells, len(pattern.vector))
    # Into the high-symmetry cell, after the sum over atoms instead of before: the same, and 3x3 numbers a frame.
    strains = np.linalg.inv(cells.astype(float)) @ pattern.cell
    sums = np.tensordot(u.transpose(0, 2, 1), pattern.equivalents, axes=([2], [1]))
    return np.asarray(np.einsum("ncka,nca->nk", sums, strains) / pattern.amplitude)


def _images(high: Atoms, differences: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
    """Return the pattern under every operation of the high-symmetry structure, Å, shape [n_operations, n_atoms, 3]."""
    scaled, numbers = high.get_scaled_positions(wrap=False), high.numbers
    symmetry = spglib.get_symmetry((high.cell.array, scaled, numbers), symprec=tolerance)
    if symmetry is None:
        raise ValueError(f"no symmetry found for {high.get_chemical_formula()}: look for atoms on top of each other")
    images = [differences @ high.cell.array]
    for rotation, translation in zip(symmetry["rotations"], symmetry["translations"], strict=True):
        moved = scaled @ rotation.T + translation
        offsets = moved[:, None] - scaled[None]
        offsets -= np.rint(offsets)
        target = np.argmin(((offsets @ high.cell.array) ** 2).sum(axis=2), axis=1)
        image = np.empty_like(differences)
        image[target] = differences @ rotation.T
        images.append(image @ high.cell.array)
    return np.array(images)


def _span(images: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an orthonormal basis of the images, by Gram and Schmidt; the pattern itself comes first."""
    smallest = 1e-3 * np.linalg.norm(images[0])
    basis: list[NDArray[np.float64]] = []
    for image in images:
        remainder = image - sum((np.vdot(image, vector) * vector for vector in basis), np.zeros_like(image))
        length = np.linalg.norm(remainder)
        if length > smallest:
            basis.append(remainder / length)
    return np.array(basis)

"""Acoustic modes near Γ: what interpolated force constants can and cannot say of them.

Between Γ and the nearest wave vectors that fit into the supercell, phonons are interpolated from force constants cut
off at the supercell's edge. The sum rule pins the acoustic modes at Γ, but nothing pins how they rise from it: that
takes rotational invariance too (M. Born and K. Huang, *Dynamical Theory of Crystal Lattices*, 1954, sections 23 to 27).
It says that the acoustic block of the dynamical matrix, the optical modes relaxed, has no part linear in q, and that
the coefficients of its quadratic part obey Huang's conditions, [αβ, γδ] = [γδ, αβ]. What a set of force constants
misses them by is the error of its long waves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy

STEP = 1e-3
"""Length of the wave vectors of the finite differences, 1/Å."""


def translations(phonon: Phonopy) -> NDArray[np.float64]:
    """Return the uniform translations in mass-weighted coordinates, orthonormal columns, shape [n_modes, 3]."""
    masses = phonon.primitive.masses
    return np.kron(np.sqrt(masses / masses.sum())[:, None], np.eye(3))


def internal_modes(phonon: Phonopy) -> NDArray[np.float64]:
    """Return an orthonormal basis of what is no translation, as columns, shape [n_modes, n_modes - 3]."""
    return np.asarray(np.linalg.svd(translations(phonon))[0][:, 3:])


def dynamical_matrices(phonon: Phonopy, qpoints: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Return the dynamical matrices at reduced wave vectors, THz², shape [n_q, n_modes, n_modes]."""
    phonon.run_qpoints(qpoints, with_dynamical_matrices=True)
    return np.asarray(phonon.qpoints.dynamical_matrices * phonon.unit_conversion_factor**2)


def reciprocal_lattice(phonon: Phonopy) -> NDArray[np.float64]:
    """Return the primitive cell's reciprocal lattice vectors as rows, without 2π, 1/Å, shape [3, 3]."""
    return np.asarray(np.linalg.inv(phonon.primitive.cell).T)


def commensurate_points(phonon: Phonopy) -> NDArray[np.float64]:
    """Return the wave vectors whose waves fit into the supercell, reduced, shape [n_cells, 3].

    There the dynamical matrix is what the forces say; everywhere else it is interpolated.
    """
    # The rows of the supercell in primitive vectors are integer; q fits if its product with each of them is.
    matrix = np.rint(np.linalg.inv(phonon.primitive_matrix) @ phonon.supercell_matrix).astype(int)
    order = round(abs(float(np.linalg.det(matrix))))
    steps = np.round(np.linalg.inv(matrix) * order).astype(int)
    points = np.zeros((1, 3), dtype=int)
    multiples = np.arange(order)[:, None, None]
    for step in steps:
        points = np.unique(((points + multiples * step) % order).reshape(-1, 3), axis=0)
    return points / order


def distances_to_gamma(phonon: Phonopy, qpoints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each wave vector's distance to the nearest reciprocal lattice vector, 1/Å, shape [n_q]."""
    return np.asarray(np.linalg.norm(_nearest_gamma(phonon, qpoints), axis=1))


def resolution_radius(phonon: Phonopy) -> float:
    """Return the distance from Γ, 1/Å, within which a supercell resolves no wave: half way to the next that fits."""
    distances = distances_to_gamma(phonon, commensurate_points(phonon))
    others = distances[distances > 1e-8]
    # A supercell of a single primitive cell resolves Γ alone.
    return float(others.min()) / 2 if len(others) else np.inf


def long_wave_error(phonon: Phonopy, qpoints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much broken rotational invariance may shift acoustic ω² near Γ, THz², shape [n_q].

    :param phonon: the crystal with its force constants, without NAC.
    :param qpoints: reduced, shape [n_q, 3].
    """
    waves = _nearest_gamma(phonon, qpoints)
    linear, quadratic = _expansion(phonon)
    huang = quadratic - quadratic.transpose(2, 3, 0, 1)
    spurious = 1j * np.einsum("abc,qc->qab", linear, waves) + np.einsum("abcd,qc,qd->qab", huang, waves, waves)
    return np.asarray(np.linalg.norm(spurious, ord=2, axis=(1, 2)))


def _nearest_gamma(phonon: Phonopy, qpoints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return wave vectors as seen from the nearest reciprocal lattice vector, Cartesian, 1/Å, shape [n_q, 3]."""
    shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    images = ((qpoints - np.round(qpoints))[:, None] + shifts) @ reciprocal_lattice(phonon)
    nearest = np.linalg.norm(images, axis=2).argmin(axis=1)
    return np.asarray(images[np.arange(len(images)), nearest])


def _expansion(phonon: Phonopy) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the acoustic block's linear (imaginary) and quadratic (real) coefficients, [3, 3, 3] and [3, 3, 3, 3]."""
    axes = np.eye(3)
    linear = np.zeros((3, 3, 3))
    quadratic = np.zeros((3, 3, 3, 3))
    for first in range(3):
        block = _acoustic_block(phonon, STEP * axes[first])
        linear[:, :, first] = block.imag / STEP
        quadratic[:, :, first, first] = block.real / STEP**2
        for second in range(first):
            along = _acoustic_block(phonon, STEP * (axes[first] + axes[second])).real
            across = _acoustic_block(phonon, STEP * (axes[first] - axes[second])).real
            mixed = (along - across) / (4 * STEP**2)
            quadratic[:, :, first, second] = quadratic[:, :, second, first] = mixed
    return linear, quadratic


def _acoustic_block(phonon: Phonopy, wave: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Return the dynamical matrix of uniform translations with everything else relaxed, THz², shape [3, 3]."""
    reduced = wave @ np.linalg.inv(reciprocal_lattice(phonon))
    matrix = dynamical_matrices(phonon, reduced[None])[0]
    outer, inner = translations(phonon), internal_modes(phonon)
    coupling = outer.T @ matrix @ inner
    relaxed = coupling @ np.linalg.pinv(inner.T @ matrix @ inner, hermitian=True) @ coupling.conj().T
    return np.asarray(outer.T @ matrix @ outer - relaxed)

"""Tensors of the fourth rank in Voigt notation: rotations, what a point group leaves, moduli, eigenvalues.

Order xx, yy, zz, yz, xz, xy; of strains the last three are engineering shears, twice the tensor's components, of
stresses they are the components. So σ = C ε.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.cells import lattice_operations

Array = NDArray[np.float64]

PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""Tensor indices of the Voigt components."""

ROWS, COLUMNS = (np.array([pair[side] for pair in PAIRS]) for side in (0, 1))
INDEX = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])
"""Voigt component of each pair of tensor indices."""

KELVIN = np.array([1.0, 1.0, 1.0, *np.sqrt([2.0, 2.0, 2.0])])
"""By which rows and columns of a stiffness are multiplied to make it a matrix of an orthonormal basis of strains."""

COMPONENTS = [f"C{i + 1}{j + 1}" for i in range(6) for j in range(i, 6)]
"""Names of the components on and above the diagonal: C11, C12 … C66."""


def symmetric_of_voigt(components: Array) -> Array:
    """Return symmetric tensors from stress-like Voigt components: shape [..., 6] → [..., 3, 3]."""
    return np.asarray(components, dtype=float)[..., INDEX]


def voigt_of_symmetric(tensors: Array) -> Array:
    """Return stress-like Voigt components of symmetric tensors: shape [..., 3, 3] → [..., 6]."""
    return np.asarray(tensors, dtype=float)[..., ROWS, COLUMNS]


def full_tensor(stiffness: Array) -> Array:
    """Return the tensor C_ijkl, shape [3, 3, 3, 3], of a stiffness in Voigt notation, [6, 6]."""
    return np.asarray(np.asarray(stiffness, dtype=float)[INDEX[:, :, None, None], INDEX[None, None, :, :]])


def voigt_matrix(tensor: Array) -> Array:
    """Return the Voigt notation, [6, 6], of a tensor C_ijkl with the minor symmetries, [3, 3, 3, 3]."""
    return np.asarray(tensor[ROWS[:, None], COLUMNS[:, None], ROWS[None, :], COLUMNS[None, :]], dtype=float)


def bond_matrix(rotation: Array) -> Array:
    """Return what turns stresses in Voigt notation, σ' = M σ, and stiffnesses, C' = M C Mᵀ, shape [6, 6].

    W. L. Bond, Bell Syst. Tech. J. 22, 1 (1943).

    :param rotation: orthogonal, takes the old directions to the new ones, [3, 3].
    """
    straight = rotation[np.ix_(ROWS, ROWS)] * rotation[np.ix_(COLUMNS, COLUMNS)]
    crossed = rotation[np.ix_(ROWS, COLUMNS)] * rotation[np.ix_(COLUMNS, ROWS)]
    return np.asarray(straight + np.where(ROWS != COLUMNS, crossed, 0.0))


def rotated(stiffness: Array, rotation: Array) -> Array:
    """Return the stiffness, [6, 6], of a crystal that is turned.

    :param rotation: orthogonal, takes the old directions to the new ones: C'_ijkl = R_ia R_jb R_kc R_ld C_abcd.
    """
    bond = bond_matrix(rotation)
    return np.asarray(bond @ stiffness @ bond.T)


def point_group(atoms: Atoms, tolerance: float) -> Array:
    """Return the operations of a crystal's point group in Cartesian axes, orthogonal, shape [n, 3, 3].

    :param tolerance: of the search for symmetry, Å.
    :raises ValueError: one line, if no symmetry is found, which means atoms on top of each other.
    """
    lattice = atoms.cell.array.T
    cartesian = lattice @ lattice_operations(atoms, tolerance) @ np.linalg.inv(lattice)
    # A lattice that has its symmetry within a tolerance gives operations that are orthogonal within one.
    left, _, right = np.linalg.svd(cartesian)
    return np.asarray(left @ right)


def projector(operations: Array) -> Array:
    """Return the matrix that makes of a stiffness the nearest one that a point group allows.

    It acts on the 36 components of the [6, 6] matrix, row after row, and makes that symmetric too: the mean of the
    rotated tensors over the group.

    :param operations: of :func:`point_group`, [n, 3, 3].
    :return: shape [36, 36].
    """
    bonds = [bond_matrix(each) for each in operations]
    found = np.mean([np.kron(bond, bond) for bond in bonds], axis=0)
    transposing = np.eye(36).reshape(6, 6, 36).swapaxes(0, 1).reshape(36, 36)
    found = found @ (np.eye(36) + transposing) / 2
    found[np.abs(found) < 1e-12] = 0.0
    return np.asarray(found)


def under_stress(stiffness: Array, stress: Array) -> Array:
    """Return the stiffness that decides on stability under stress, [6, 6], its part that is symmetric.

    B_ijkl = C_ijkl + (δ_ik σ_jl + δ_jk σ_il + δ_il σ_jk + δ_jl σ_ik - 2 δ_kl σ_ij)/2 with C = ∂S/∂E of second
    Piola–Kirchhoff stress and Green–Lagrange strain: J. Wang, J. Li, S. Yip, S. Phillpot and D. Wolf, Phys. Rev. B 52,
    12627 (1995). Of a cubic crystal under pressure these are C₁₁ - P, C₁₂ + P and C₄₄ - P.

    :param stiffness: C, GPa, [6, 6].
    :param stress: GPa, Voigt, positive where the crystal is pulled, [6].
    """
    sigma, one = symmetric_of_voigt(stress), np.eye(3)
    terms = (
        np.einsum("ik,jl->ijkl", one, sigma)
        + np.einsum("jk,il->ijkl", one, sigma)
        + np.einsum("il,jk->ijkl", one, sigma)
        + np.einsum("jl,ik->ijkl", one, sigma)
        - 2 * np.einsum("kl,ij->ijkl", one, sigma)
    )
    found = np.asarray(stiffness, dtype=float) + voigt_matrix(terms) / 2
    return np.asarray((found + found.T) / 2)


def kelvin(stiffness: Array) -> Array:
    """Return a stiffness as a matrix whose eigenvalues do not depend on the axes, [6, 6]."""
    return np.asarray(stiffness * np.outer(KELVIN, KELVIN))


def softest(stiffness: Array) -> tuple[Array, Array]:
    """Return the eigenvalues of a stiffness, ascending (its unit), [6], and the softest strain.

    All of them are positive where the crystal is stable: F. Mouhat and F.-X. Coudert, Phys. Rev. B 90, 224104 (2014).

    :return: the strain in Voigt notation, engineering shears, of unit length as a tensor, [6].
    """
    values, vectors = np.linalg.eigh(kelvin(stiffness))
    vector = vectors[:, 0] * KELVIN
    largest = int(np.argmax(np.abs(vector)))
    return values, np.asarray(vector * np.sign(vector[largest]))


def moduli(stiffness: Array) -> dict[str, Any]:
    """Return what a polycrystal of such crystals has.

    Bulk and shear modulus by Voigt and Reuss and their mean, R. Hill, Proc. Phys. Soc. A 65, 349 (1952), with Young's
    modulus and Poisson's ratio of the mean; and the universal anisotropy A_U = 5 G_V/G_R + K_V/K_R - 6 of S. I.
    Ranganathan and M. Ostoja-Starzewski, Phys. Rev. Lett. 101, 055504 (2008).

    :param stiffness: [6, 6], positive definite; moduli have its unit.
    """
    c, s = stiffness, np.linalg.inv(stiffness)
    bulk_voigt = c[:3, :3].sum() / 9
    shear_voigt = (np.trace(c[:3, :3]) - (c[0, 1] + c[0, 2] + c[1, 2]) + 3 * np.trace(c[3:, 3:])) / 15
    bulk_reuss = 1 / s[:3, :3].sum()
    shear_reuss = 15 / (4 * np.trace(s[:3, :3]) - 4 * (s[0, 1] + s[0, 2] + s[1, 2]) + 3 * np.trace(s[3:, 3:]))
    bulk, shear = (bulk_voigt + bulk_reuss) / 2, (shear_voigt + shear_reuss) / 2
    found = {
        "bulk_modulus_voigt": bulk_voigt,
        "bulk_modulus_reuss": bulk_reuss,
        "bulk_modulus": bulk,
        "shear_modulus_voigt": shear_voigt,
        "shear_modulus_reuss": shear_reuss,
        "shear_modulus": shear,
        "young_modulus": 9 * bulk * shear / (3 * bulk + shear),
        "poisson_ratio": (3 * bulk - 2 * shear) / (2 * (3 * bulk + shear)),
        "universal_anisotropy": 5 * shear_voigt / shear_reuss + bulk_voigt / bulk_reuss - 6,
    }
    return {name: float(value) for name, value in found.items()}


def moduli_errors(stiffness: Array, errors: Array) -> dict[str, float]:
    """Return by how much moduli may be off: the sum over the components of what the error of each does to them.

    Errors of components that symmetry makes equal go together, so that they are added and not squared.

    :param errors: of the components, [6, 6].
    """
    usual = moduli(stiffness)
    found = dict.fromkeys(usual, 0.0)
    for i in range(6):
        for j in range(i, 6):
            if errors[i, j] == 0.0:
                continue
            step = 1e-4 * float(np.abs(stiffness).max())
            changed = stiffness.copy()
            changed[i, j] += step
            changed[j, i] = changed[i, j]
            moved = moduli(changed)
            for name in found:
                found[name] += abs(moved[name] - usual[name]) / step * float(errors[i, j])
    return found

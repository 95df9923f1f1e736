"""The non-analytical correction: Born effective charges and the dielectric tensor."""

from __future__ import annotations

import numpy as np
from ase import units
from numpy.typing import NDArray
from phonopy import Phonopy

COULOMB = units.Hartree * units.Bohr
"""e² / 4πε₀, eV Å."""


def check_born_charges(charges: NDArray[np.float64], dielectric: NDArray[np.float64], n_atoms: int) -> None:
    """Refuse arrays that are no Born charges with a dielectric tensor.

    :param charges: e, to be of shape [n_atoms, 3, 3].
    :param dielectric: to be of shape [3, 3].
    :param n_atoms: of the unit cell.
    :raises ValueError: one line, if a shape is another one, a number not finite, or the tensor not positive.
    """
    expected = (n_atoms, 3, 3)
    if charges.shape != expected:
        raise ValueError(f"Born charges of shape {charges.shape}: give one 3x3 tensor for each atom, shape {expected}")
    if dielectric.shape != (3, 3):
        raise ValueError(f"dielectric tensor of shape {dielectric.shape}: give a 3x3 tensor")
    if not (np.isfinite(charges).all() and np.isfinite(dielectric).all()):
        raise ValueError("Born charges or dielectric tensor hold numbers that are not finite")
    if np.linalg.eigvalsh((dielectric + dielectric.T) / 2).min() <= 0:
        raise ValueError("the dielectric tensor must be positive definite")


def add_born_charges(phonon: Phonopy, charges: NDArray[np.float64], dielectric: NDArray[np.float64]) -> None:
    """Let ``phonon`` split longitudinal from transverse optical modes (Gonze and Lee, Phys. Rev. B 1997, 55, 10355).

    The charges are symmetrised and made neutral.

    :param phonon: the crystal.
    :param charges: of the unit cell's atoms, in its order, e, shape [n_atoms, 3, 3].
    :param dielectric: high-frequency dielectric tensor, shape [3, 3].
    :raises ValueError: one line, if a shape is another one or the tensor is not positive.
    """
    charges, dielectric = np.asarray(charges, dtype=float), np.asarray(dielectric, dtype=float)
    check_born_charges(charges, dielectric, len(phonon.unitcell))
    supercell = phonon.supercell
    atoms = [supercell.u2u_map[supercell.s2u_map[index]] for index in phonon.primitive.p2s_map]
    phonon.nac_params = {"born": charges[atoms], "dielectric": dielectric, "factor": COULOMB, "method": "gonze"}

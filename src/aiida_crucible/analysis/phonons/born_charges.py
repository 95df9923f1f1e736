"""The non-analytical correction: Born effective charges and the dielectric tensor."""

from __future__ import annotations

import numpy as np
from ase import units
from numpy.typing import NDArray
from phonopy import Phonopy

COULOMB = units.Hartree * units.Bohr
"""e² / 4πε₀, eV Å."""

NOTABLE_SURPLUS, LARGEST_SURPLUS = 0.01, 0.1
"""Of the largest charge: how far the mean of all may be from zero, without a word and at all. Coarse grids of wave
vectors leave a few hundredths."""


def check_born_charges(charges: NDArray[np.float64], dielectric: NDArray[np.float64], n_atoms: int) -> None:
    """Refuse arrays that are no Born charges with a dielectric tensor.

    :param charges: e, to be of shape [n_atoms, 3, 3].
    :param dielectric: to be of shape [3, 3].
    :param n_atoms: of the unit cell.
    :raises ValueError: one line, if a shape is another one, a number not finite, the charges not neutral, or the tensor
        not positive.
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
    require_neutral(charges)


def require_neutral(charges: NDArray[np.float64]) -> None:
    """Refuse charges that are far from the acoustic sum rule Σ_i Z*_i = 0: some are missing, or of other atoms.

    :param charges: of a cell's atoms, e, shape [n_atoms, 3, 3].
    :raises ValueError: one line.
    """
    if _surplus(charges) > LARGEST_SURPLUS:
        raise ValueError(
            f"the Born charges of {len(charges)} atoms add up to {_largest(charges.sum(axis=0)):.3g} e, not to zero: "
            "some are missing, or of other atoms"
        )


def warnings_of_charges(subject: str, charges: NDArray[np.float64]) -> list[str]:
    """Return a warning where charges miss the acoustic sum rule by more than rounding.

    :param subject: where they come from.
    :param charges: of a cell's atoms, e, shape [n_atoms, 3, 3].
    """
    if _surplus(charges) <= NOTABLE_SURPLUS:
        return []
    return [
        f"the Born charges in {subject} add up to {_largest(charges.sum(axis=0)):.3g} e, not to zero: every atom is to "
        "give the same part of it where they are used"
    ]


def _surplus(charges: NDArray[np.float64]) -> float:
    """Return the mean charge as a share of the largest one."""
    return _largest(charges.mean(axis=0)) / max(_largest(charges), np.finfo(float).tiny)


def _largest(values: NDArray[np.float64]) -> float:
    return float(np.abs(values).max())


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

"""Born effective charges: checked, for the non-analytical correction, and published ones by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from ase import Atoms, units
from numpy.typing import NDArray
from phonopy import Phonopy

from aiida_crucible.analysis.crystal.neighbours import nearest_of_species

COULOMB = units.Hartree * units.Bohr
"""e² / 4πε₀, eV Å."""

NOTABLE_SURPLUS, LARGEST_SURPLUS = 0.01, 0.1
"""Of the largest charge: how far the mean of all may be from zero without a warning, and at all. Coarse grids of wave
vectors leave a few hundredths."""

LARGEST_BEND = 0.25
"""Part of the weight of a line of neighbours that may lie across it: a bend of 60 degrees at the atom has 0.33."""


def check_born_charges(charges: NDArray[np.float64], dielectric: NDArray[np.float64], n_atoms: int) -> None:
    """Refuse arrays that are no Born charges with a dielectric tensor.

    :param charges: e, to be of shape [n_atoms, 3, 3].
    :param dielectric: to be of shape [3, 3].
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
    """Return a warning where charges miss the acoustic sum rule by more than rounding."""
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

    :param charges: of the unit cell's atoms, in its order, e, shape [n_atoms, 3, 3].
    :param dielectric: high-frequency dielectric tensor, shape [3, 3].
    :raises ValueError: one line, if a shape is another one or the tensor is not positive.
    """
    charges, dielectric = np.asarray(charges, dtype=float), np.asarray(dielectric, dtype=float)
    check_born_charges(charges, dielectric, len(phonon.unitcell))
    supercell = phonon.supercell
    atoms = [supercell.u2u_map[supercell.s2u_map[index]] for index in phonon.primitive.p2s_map]
    phonon.nac_params = {"born": charges[atoms], "dielectric": dielectric, "factor": COULOMB, "method": "gonze"}


@dataclass(frozen=True)
class AxialCharge:
    """A charge that differs along the line to the nearest atoms of another species."""

    parallel: float
    perpendicular: float
    neighbour: str
    """Chemical symbol of that species."""


@dataclass(frozen=True)
class NamedCharges:
    """A published set of Born charges."""

    source: str
    charges: Mapping[str, float | AxialCharge]
    """For each species, e."""

    def tensors(self, reference: Atoms) -> NDArray[np.float64]:
        """Return a tensor for each atom, axes found from the geometry of the reference, e, shape [n_atoms, 3, 3].

        :param reference: the centrosymmetric structure, of any orientation.
        :raises ValueError: one line, if a species has no charge, or if an atom has no line of neighbours.
        """
        missing = sorted(set(reference.symbols) - set(self.charges))
        if missing:
            raise ValueError(f"{self.source} has no Born charge for {', '.join(missing)}")
        result = np.zeros((len(reference), 3, 3))
        symbols = np.array(reference.get_chemical_symbols())
        for symbol, charge in self.charges.items():
            atoms = np.flatnonzero(symbols == symbol)
            if isinstance(charge, AxialCharge):
                axes = _axes(reference, charge.neighbour, atoms)
                along = np.einsum("ia,ib->iab", axes, axes)
                result[atoms] = charge.perpendicular * np.eye(3) + (charge.parallel - charge.perpendicular) * along
            else:
                result[atoms] = charge * np.eye(3)
        return result


NAMED_CHARGES: Mapping[str, NamedCharges] = MappingProxyType(
    {
        "PbTiO3-Zhong-1994": NamedCharges(
            "Zhong, King-Smith and Vanderbilt, Phys. Rev. Lett. 1994, 72, 3618",
            {"Pb": 3.90, "Ti": 7.06, "O": AxialCharge(parallel=-5.83, perpendicular=-2.56, neighbour="Ti")},
        )
    }
)


def named_charges(name: str) -> NamedCharges:
    """Return a published set of Born charges.

    :raises ValueError: one line, if there is no such set.
    """
    if name not in NAMED_CHARGES:
        raise ValueError(f"no Born charges named {name!r}: choose one of {', '.join(NAMED_CHARGES)}")
    return NAMED_CHARGES[name]


def _axes(reference: Atoms, neighbour: str, atoms: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the unit vector along the line of nearest neighbours of each of ``atoms``, shape [n_chosen, 3]."""
    if neighbour not in reference.symbols:
        raise ValueError(f"no {neighbour} in {reference.get_chemical_formula()}, which the charges' axes point to")
    first, _, vectors = nearest_of_species(reference, neighbour)
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    # Opposite neighbours lie on one line: the projectors on it add up, whatever the vectors' signs.
    projectors = np.zeros((len(reference), 3, 3))
    np.add.at(projectors, first, np.einsum("ia,ib->iab", directions, directions))
    weights, axes = np.linalg.eigh(projectors[atoms])
    unclear = np.flatnonzero(weights[:, 1] > LARGEST_BEND * weights[:, 2])
    if len(unclear):
        raise ValueError(
            f"atom {atoms[unclear[0]]} ({reference.symbols[atoms[unclear[0]]]}) of the reference has no line of "
            f"{neighbour} neighbours for its charge's axis: give the charges as a tensor for each atom"
        )
    return np.asarray(axes[:, :, -1])

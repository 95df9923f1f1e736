"""Published Born charges, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.neighbours import nearest_of_species

LARGEST_BEND = 0.25
"""Part of the weight of a line of neighbours that may lie across it: a bend of 60 degrees at the atom has 0.33."""


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

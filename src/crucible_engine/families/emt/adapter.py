"""ASE's effective medium theory: a toy for tests and for a first try without torch."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.calculators.emt import EMT, parameters
from ase.neighborlist import NeighborList

from crucible_engine.families.calculators import loader


class OrderedNeighbours(NeighborList):
    """ASE's neighbour list with each atom's neighbours in a fixed order.

    ASE keeps a list for a while, in the order of the geometry for which it was made: sums over neighbours would depend,
    in their last bits, on what was evaluated before.
    """

    def update(self, atoms: Atoms) -> bool:
        """Make the list anew where that is needed, and tell whether it was."""
        renewed = bool(super().update(atoms))
        if renewed:
            for index, (neighbours, shifts) in enumerate(zip(self.nl.neighbors, self.nl.displacements, strict=True)):
                order = np.lexsort((*np.asarray(shifts).T, neighbours))
                self.nl.neighbors[index], self.nl.displacements[index] = neighbours[order], shifts[order]
        return renewed


class OrderedEMT(EMT):
    """ASE's EMT, whose answers depend on the structure alone, to the last bit."""

    def initialize(self, atoms: Atoms) -> None:
        """Prepare for the species of a structure."""
        super().initialize(atoms)
        self.nl = OrderedNeighbours([0.5 * self.rc_list] * len(atoms), self_interaction=False, bothways=True)


load = loader(lambda _: OrderedEMT(), parameters, parameters)

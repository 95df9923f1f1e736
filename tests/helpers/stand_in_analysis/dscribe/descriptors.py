"""A descriptor that is as smooth and as invariant as SOAP, and takes a line."""

import os
import signal
from pathlib import Path

import numpy as np
from ase.neighborlist import neighbor_list


class SOAP:
    """Gaussians of the distances to the neighbours of each species."""

    def __init__(self, species, r_cut, n_max, l_max, sigma, periodic):
        del l_max, periodic
        self.species, self.cutoff, self.width = species, r_cut, sigma
        self.centres = np.linspace(1.0, r_cut, n_max)

    def get_number_of_features(self):
        """Return how many numbers describe an atom."""
        return len(self.species) * len(self.centres)

    def create(self, atoms):
        """Return the descriptors of all atoms."""
        self._die_once()
        first, second, distances = neighbor_list("ijd", atoms, self.cutoff)
        symbols = np.array(atoms.get_chemical_symbols())
        rows = np.zeros((len(atoms), len(self.species), len(self.centres)))
        values = np.exp(-(((distances[:, None] - self.centres) / (0.2 + self.width)) ** 2))
        for place, symbol in enumerate(self.species):
            chosen = symbols[second] == symbol
            np.add.at(rows[:, place], first[chosen], values[chosen])
        return rows.reshape(len(atoms), -1)

    def _die_once(self):
        """Kill the process where a test wants its first one to die."""
        marker = os.environ.get("CRUCIBLE_TEST_DIES_ONCE")
        if marker and not Path(marker).exists():
            Path(marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)

"""Atoms on springs to their sites: the cheapest solid that there is."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes


class EinsteinCrystal(Calculator):
    """V = ½ k Σ (x - x_0)², without any stress.

    :param sites: x_0 of one cell, Å.
    :param cell: lattice vectors of that cell, Å.
    :param repeat: how often it is repeated, as ASE does it.
    :param stiffness: k, eV/Å².
    """

    implemented_properties = ("energy", "free_energy", "forces", "stress")

    def __init__(self, sites: list, cell: list, repeat: int, stiffness: float = 5.0):
        super().__init__()
        self.sites = (Atoms(positions=sites, cell=cell) * repeat).positions
        self.stiffness = stiffness

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        moved = atoms.positions - self.sites
        energy = float(0.5 * self.stiffness * (moved**2).sum())
        forces = -self.stiffness * moved
        self.results = {"energy": energy, "free_energy": energy, "forces": forces, "stress": np.zeros(6)}

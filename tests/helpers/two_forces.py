"""ASE calculators with conservative forces, and direct ones that are nearly those and no gradient."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from engine_jobs import calculator_from

STIFFNESS = 2.0
"""eV/Å², of the springs that hold each atom at its site."""


class Springs(Calculator):
    """Each atom on a spring to its site; anharmonic, so that no step is exact.

    :param sites: Å, shape [n_atoms, 3]; by default those of :func:`springs`.
    :param stiffness: of the forces over that of the energy.
    :param swirl: eV/Å², of a force that turns each displacement about z: it does work around each closed path.
    """

    implemented_properties = ("energy", "forces")

    def __init__(self, sites=None, stiffness=1.0, swirl=0.0):
        super().__init__()
        self.sites = springs().positions if sites is None else np.array(sites)
        self.stiffness, self.swirl = stiffness, swirl

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        moved = atoms.positions - self.sites
        squares = (moved**2).sum(axis=1, keepdims=True)
        forces = -self.stiffness * STIFFNESS * (1 + 2 * squares) * moved
        forces += self.swirl * np.cross([0.0, 0.0, 1.0], moved)
        energy = STIFFNESS * float((squares / 2 + squares**2 / 2).sum())
        self.results = {"energy": energy, "free_energy": energy, "forces": forces}


def springs() -> Atoms:
    """Return atoms of two elements at their sites, some way from each other."""
    sites = 3.0 * np.array([[x, y, z] for x in range(2) for y in range(2) for z in range(2)], dtype=float)
    return Atoms("CuAl" * 4, positions=sites, cell=[6.0] * 3, pbc=True)


def two_springs(**direct):
    """Return the reference of the springs, with direct forces that differ by what is given."""
    model = calculator_from("two_forces:Springs")
    model.settings["direct_arguments"] = direct
    return model

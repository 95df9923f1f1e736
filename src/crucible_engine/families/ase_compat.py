"""What of ASE has an underscore or no documentation: a release that moves it fails here, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.emt import EMT
from ase.md.bussi import Bussi
from ase.md.melchionna import MelchionnaNPT
from ase.md.nose_hoover_chain import NoseHooverChainThermostat
from ase.neighborlist import NeighborList

_CHAIN = ("_thermostat._eta", "_thermostat._p_eta")
_BAROSTAT_CHAIN = ("_barostat._xi", "_barostat._p_xi")
# What an integrator keeps between two steps, by dotted path.
BUSSI = ("transferred_energy",)
NOSE_HOOVER_CHAIN = ("_q", "_p", *_CHAIN)
MELCHIONNA = (
    *("eta", "eta_past", "zeta", "zeta_past", "zeta_integrated", "h", "h_past", "inv_h", "q", "q_past"),
    *("q_future", "pfact", "tfact", "temperature", "desiredEkin", "timeelapsed", "initialized"),
)
MTK = ("_q", "_p", "_h", "_p_g", *_CHAIN, *_BAROSTAT_CHAIN)
MTK_ISOTROPIC = ("_q", "_p", "_eps", "_p_eps", "_volume0", "_cell0", *_CHAIN, *_BAROSTAT_CHAIN)
MTK_MASKED = ("_q", "_p", "_h", "_p_c", "_h0_basis", *_CHAIN, *_BAROSTAT_CHAIN)


def heat_bussi(dynamics: Bussi, temperature: float) -> None:
    """Set the target temperature (K) of a thermostat."""
    dynamics.temp = temperature * units.kB
    dynamics.target_kinetic_energy = 0.5 * dynamics.temp * dynamics.ndof


def heat_melchionna(dynamics: MelchionnaNPT, temperature: float) -> None:
    """Set the target temperature (K) of a thermostat with a barostat."""
    # ASE's own method would take the barostat's constant anew from the cell of the moment.
    factor = units.kB * temperature / dynamics.temperature
    dynamics.temperature = units.kB * temperature
    dynamics.desiredEkin = 1.5 * (len(dynamics.atoms) - 1) * dynamics.temperature
    dynamics.tfact /= factor


def heat_chain(dynamics: Any, temperature: float) -> None:
    """Set the target temperature (K) of a Nosé-Hoover chain, and of the barostat beside it where there is one."""
    dynamics._thermostat._kT = units.kB * temperature
    if hasattr(dynamics, "_barostat"):
        dynamics._barostat._kT = units.kB * temperature


def replace_thermostat(dynamics: Any, n_atoms: int, temperature: float, tdamp: float, tchain: int) -> None:
    """Give a Nosé-Hoover chain a thermostat for another number of atoms than the structure has.

    :param temperature: K.
    :param tdamp: ASE's unit of time.
    """
    dynamics._thermostat = NoseHooverChainThermostat(
        num_atoms_global=n_atoms, masses=dynamics.masses, temperature_K=temperature, tdamp=tdamp, tchain=tchain
    )


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

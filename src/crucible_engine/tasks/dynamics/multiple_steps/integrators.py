"""Reversible multiple time stepping (Tuckerman, Berne and Martyna, J. Chem. Phys. 97, 1990 (1992)) for ASE.

The propagator is split as theirs, with direct forces F_d as what is cheap and changes fast, and what is left of the
conservative ones, F_c - F_d, as what is dear and small (so Bigi, Langer and Ceriotti, arXiv:2412.11569, for models with
both): of N steps of the length dt,

    p += N dt/2 (F_c - F_d);  N times velocity Verlet of dt with F_d;  p += N dt/2 (F_c - F_d).

The map is reversible and keeps volume in phase space, whatever the direct forces are; each of the N new geometries
costs direct forces, and the last one conservative ones.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.md.bussi import Bussi
from ase.md.verlet import VelocityVerlet
from numpy.typing import NDArray

from crucible_engine.tasks.dynamics.multiple_steps.calculators import GuardedPair


class MultipleTimeStepping(VelocityVerlet):
    """Without a thermostat.

    One call of :meth:`step` is ``direct_steps`` steps: between them there is no conserved energy.

    :param atoms: with momenta, and a :class:`GuardedPair` as calculator.
    :param timestep: of the direct forces, in ASE's unit.
    :param direct_steps: N above.
    """

    def __init__(self, atoms: Atoms, timestep: float, direct_steps: int, **more: Any) -> None:
        super().__init__(atoms, timestep, **more)
        self.direct_steps = direct_steps

    def step(self, forces: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Do ``direct_steps`` steps, and return the conservative forces behind them, eV/Å, [n_atoms, 3].

        :param forces: conservative ones of the geometry as it is; asked for where they are not given.
        """
        atoms = self.atoms
        direct = self._direct_forces()
        self._correct(atoms.get_forces(md=True) if forces is None else forces, direct)
        for _ in range(self.direct_steps):
            direct = self._move(direct)
        forces = atoms.get_forces(md=True)
        self._correct(forces, direct)
        return forces

    def _direct_forces(self) -> NDArray[np.float64]:
        pair: GuardedPair = self.atoms.calc
        return pair.direct_forces(self.atoms)

    def _correct(self, forces: NDArray[np.float64], direct: NDArray[np.float64]) -> None:
        """Push for half of all steps with what is left of the conservative forces."""
        self._push(0.5 * self.direct_steps * self.dt * (forces - direct))

    def _move(self, direct: NDArray[np.float64]) -> NDArray[np.float64]:
        """Do one step with direct forces and return those behind it."""
        atoms = self.atoms
        self._push(0.5 * self.dt * direct)
        atoms.set_positions(atoms.get_positions() + self.dt * atoms.get_velocities())
        direct = self._direct_forces()
        self._push(0.5 * self.dt * direct)
        return direct

    def _push(self, change: NDArray[np.float64]) -> None:
        # A constraint lets the centre of mass rest: direct forces have a net force.
        self.atoms.set_momenta(self.atoms.get_momenta() + change)


class MultipleBussi(Bussi, MultipleTimeStepping):
    """Velocities are rescaled before each call's steps (Bussi et al., J. Chem. Phys. 126, 014101 (2007)).

    :param taut: the time constant divided by ``direct_steps``: ASE's class takes it for one step.
    """


class MultipleLangevin(MultipleTimeStepping):
    """Friction and noise act for half of all steps before them, and for half behind them.

    The splitting of Bussi and Parrinello, Phys. Rev. E 75, 056707 (2007), with the steps above as its middle part; it
    is another discretisation than that of ASE's Langevin.

    :param temperature_K: of the bath.
    :param friction: in ASE's unit of an inverse time.
    :param rng: source of the noise.
    """

    def __init__(
        self, atoms: Atoms, timestep: float, *, temperature_K: float, friction: float, rng: np.random.Generator,
        direct_steps: int,
    ) -> None:  # fmt: skip
        super().__init__(atoms, timestep, direct_steps)
        self.rng = rng
        self._kept = math.exp(-0.5 * friction * direct_steps * timestep)
        self.set_temperature(temperature_K)

    def set_temperature(self, temperature_K: float) -> None:
        """Set the temperature of the bath, K."""
        self.temp = temperature_K * units.kB

    def step(self, forces: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Do ``direct_steps`` steps, see :meth:`MultipleTimeStepping.step`."""
        self._bathe()
        forces = super().step(forces)
        self._bathe()
        return forces

    def _bathe(self) -> None:
        atoms = self.atoms
        width = np.sqrt((1 - self._kept**2) * self.temp * atoms.get_masses())[:, None]
        noise = self.rng.standard_normal(size=(len(atoms), 3))
        atoms.set_momenta(self._kept * atoms.get_momenta() + width * noise)

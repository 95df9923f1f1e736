"""LAMMPS in the place of one of ASE's integrators: what :class:`crucible_engine.tasks.dynamics.replica.Replica` asks.

LAMMPS moves on by as many steps as lie between two that anything is recorded or looked at, and leaves there positions,
momenta and cell in the structure, energy, forces and stress in its calculator.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from numpy.typing import NDArray

from crucible_engine.tasks.dynamics.crystal.guard import LostError
from crucible_engine.tasks.dynamics.crystal.watch import Finding
from crucible_engine.tasks.dynamics.lammps.agreement import require_agreement
from crucible_engine.tasks.dynamics.lammps.ensembles import has_conserved_quantity
from crucible_engine.tasks.dynamics.lammps.program import LammpsError
from crucible_engine.tasks.dynamics.lammps.session import Session, named
from crucible_engine.tasks.dynamics.lammps.setup import Setup, describe
from crucible_engine.tasks.dynamics.lammps.snapshot import Snapshot
from crucible_engine.tasks.dynamics.settings import Settings

LARGEST_SEED = 900_000_000

LOST = {"Lost atoms": "atoms-lost", "Non-numeric": "non-finite", "out of range": "exploded"}
"""What LAMMPS says of a crystal that is none any more, and the outcome that it is."""


class LammpsCalculator(Calculator):
    """Gives what LAMMPS computed of the structure that it holds."""

    implemented_properties = ("energy", "free_energy", "forces", "stress")

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self.setup = setup
        self.dynamics: LammpsDynamics | None = None

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Return the numbers of the step at which LAMMPS is."""
        super().calculate(atoms, properties, system_changes)
        assert self.dynamics is not None
        now = self.dynamics.now()
        self.results = {
            "energy": now.energy,
            "free_energy": now.energy,
            "forces": now.forces,
            "stress": now.stress,
        }


class LammpsCalculators:
    """Gives each replica a calculator, and with it a LAMMPS, of its own."""

    remember = False

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._given: list[LammpsCalculator] = []

    def new(self) -> LammpsCalculator:
        """Return a calculator that nothing was asked."""
        self._given.append(LammpsCalculator(self._setup))
        return self._given[-1]

    def describe(self) -> dict[str, Any]:
        """Return what a summary says of the LAMMPS that ran, by ``lammps``."""
        versions = [given.dynamics.version for given in self._given if given.dynamics]
        return {"lammps": describe(self._setup, versions[-1] if versions else "")}


class LammpsDynamics:
    """An integrator of LAMMPS, with the interface of ASE's.

    :ivar nsteps: the last step that was done.
    :param atoms: the structure at step 0 with its momenta; its calculator is around a :class:`LammpsCalculator`.
    :param timestep: as ASE's integrators have it; LAMMPS takes that of ``settings``.
    :param rng: the source of the seed of a stochastic thermostat.
    """

    def __init__(
        self, atoms: Atoms, timestep: float, *, settings: Settings, rests: bool, rng: np.random.Generator,
        temperature_K: float,
    ) -> None:  # fmt: skip
        del timestep
        self.atoms, self.nsteps, self.version = atoms, 0, ""
        self._start = atoms.copy()
        self._settings, self._rests, self._rng = settings, rests, rng
        end = settings.final_temperature
        self._target = (temperature_K, temperature_K if end is None else end)
        self._calculator: LammpsCalculator = atoms.calc.inner
        self._calculator.dynamics = self
        self._session: Session | None = None
        self._now: Snapshot | None = None
        self._restart: tuple[int, NDArray[np.uint8]] | None = None

    @property
    def restart(self) -> NDArray[np.uint8] | None:
        """The bytes of LAMMPS's restart file of the present step; ``None`` before it begins and after it ended."""
        if self._session is not None and (self._restart is None or self._restart[0] != self.nsteps):
            try:
                self._restart = self.nsteps, self._session.restart()
            except LammpsError as error:
                raise named(error, self._calculator.setup) from error
        return None if self._restart is None else self._restart[1]

    @restart.setter
    def restart(self, content: NDArray[np.uint8]) -> None:
        self._restart = -1, content

    @property
    def conserved(self) -> float:
        """The conserved quantity, eV; NaN where there is none."""
        return self.now().conserved if has_conserved_quantity(self._settings.ensemble) else float("nan")

    def now(self) -> Snapshot:
        """Return the step at which LAMMPS is; it begins where that was not done yet."""
        if self._now is None:
            self._begin()
        assert self._now is not None
        return self._now

    def step(self) -> None:
        """Do the steps up to the next one that is recorded or looked at.

        :raises LostError: if the crystal is none any more.
        """
        self.now()
        assert self._session is not None
        target = next_step(self._settings, self.nsteps)
        try:
            self._session.advance(target - self.nsteps)
            self._take(self._session.snapshot())
        except LammpsError as error:
            self.close()
            raise self._meaning(error) from error
        self.atoms.get_potential_energy()

    def close(self) -> None:
        """Let LAMMPS end."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _begin(self) -> None:
        setup = self._calculator.setup
        self._session = Session(
            setup,
            self._settings,
            self._start,
            restart=None if self._restart is None else self._restart[1],
            target=self._target,
            rests=self._rests,
            seed=int(self._rng.integers(1, LARGEST_SEED)),
        )
        self.version = self._session.version
        try:
            self._now = self._session.snapshot()
        except LammpsError as error:
            raise named(error, setup) from error
        require_agreement(self._now, self.atoms, setup)

    def _take(self, now: Snapshot) -> None:
        self._now = now
        if self._settings.ensemble.startswith("npt"):
            self.atoms.set_cell(now.cell)
        self.atoms.positions[:] = now.positions
        self.atoms.arrays["momenta"][:] = now.velocities * self.atoms.get_masses()[:, None]

    def _meaning(self, error: LammpsError) -> Exception:
        for words, outcome in LOST.items():
            if words in error.said:
                return LostError(Finding(outcome, f"LAMMPS ended: {error.said[:200]}", {"what": "LAMMPS"}))
        return named(error, self._calculator.setup)


def next_step(settings: Settings, step: int) -> int:
    """Return the next step at which anything is recorded or looked at."""
    interval = math.gcd(settings.series_interval, settings.frame_interval, settings.watch_interval)
    return int(min((step // interval + 1) * interval, settings.steps))

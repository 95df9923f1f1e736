"""ASE's integrators: how each ensemble is set up, and all that one of them keeps between two steps.

The kinetic temperature counts the degrees of freedom that move: 3 N, or 3 N - 3 where the centre of mass is fixed.
ASE's Nosé-Hoover chains count 3 N always; their thermostat is told the right number here, or a small cell would be
N / (N - 1) times too hot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import attrgetter, methodcaller
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.constraints import FixCom
from ase.md.andersen import Andersen
from ase.md.bussi import Bussi
from ase.md.langevin import Langevin
from ase.md.md import MolecularDynamics
from ase.md.melchionna import MelchionnaNPT
from ase.md.nose_hoover_chain import (
    MTKNPT,
    IsotropicMTKNPT,
    MaskedMTKNPT,
    NoseHooverChainNVT,
)
from ase.md.nptberendsen import Inhomogeneous_NPTBerendsen
from ase.md.verlet import VelocityVerlet

from crucible_engine.families import ase_compat
from crucible_engine.tasks.dynamics.lammps.dynamics import LammpsDynamics, next_step
from crucible_engine.tasks.dynamics.multiple_steps.integrators import (
    MultipleBussi,
    MultipleLangevin,
    MultipleTimeStepping,
)
from crucible_engine.tasks.dynamics.settings import Settings


@dataclass(frozen=True)
class Integrator:
    """One of ASE's integrators.

    :param kind: its class.
    :param arguments: returns the arguments of its class, from the settings and the number of atoms, besides the time
        step, the target temperature and the source of random numbers.
    :param state: the attributes, by dotted path, that hold what it keeps between two steps besides positions, momenta
        and cell of the structure, the random numbers' state, and what :meth:`make` derives from the settings.
    :param heat: sets another target temperature (K).
    :param conserved: the conserved quantity (eV) at a constant target; ``None`` where there is none.
    :param is_random: whether it draws random numbers.
    :param needs_constraint: whether only a constraint on the structure (``FixCom``) keeps its centre of mass in place.
    :param triangular: whether the cell must be a triangular matrix.
    :param next_step: returns the step that its next call will reach.
    """

    kind: type
    arguments: Callable[[Settings, int], dict[str, Any]]
    heat: Callable[[Any, float], None] | None = None
    state: tuple[str, ...] = ()
    conserved: Callable[[Any], Any] | None = None
    is_random: bool = False
    needs_constraint: bool = False
    triangular: bool = False
    next_step: Callable[[Settings, int], int] = lambda _, step: step + 1

    def make(self, atoms: Atoms, settings: Settings, temperature: float, rng: np.random.Generator) -> MolecularDynamics:
        """Return the integrator of a structure with its momenta, at a target temperature (K)."""
        arguments = self.arguments(settings, len(atoms))
        if self.heat is not None:
            arguments["temperature_K"] = temperature
        if self.is_random:
            arguments["rng"] = rng
        dynamics: MolecularDynamics = self.kind(atoms, settings.time_step * units.fs, **arguments)
        if self.heat is ase_compat.heat_chain and settings.remove_drift and len(atoms) > 1:
            tdamp = settings.thermostat_time * units.fs
            ase_compat.replace_thermostat(dynamics, len(atoms) - 1, temperature, tdamp, settings.chain_length)
        return dynamics


def _langevin(settings: Settings, n_atoms: int) -> dict[str, Any]:
    del n_atoms
    return {"friction": settings.friction / units.fs, "fixcm": False}


def _andersen(settings: Settings, n_atoms: int) -> dict[str, Any]:
    return {"andersen_prob": settings.collision_probability, "fixcm": settings.remove_drift and n_atoms > 1}


def _bussi(settings: Settings, n_atoms: int) -> dict[str, Any]:
    del n_atoms
    return {"taut": settings.thermostat_time * units.fs}


def _nose_hoover_chain(settings: Settings, n_atoms: int) -> dict[str, Any]:
    del n_atoms
    return {"tdamp": settings.thermostat_time * units.fs, "tchain": settings.chain_length}


def _melchionna(settings: Settings, n_atoms: int) -> dict[str, Any]:
    del n_atoms
    pfactor = settings.pfactor
    if pfactor is None:
        barostat = settings.barostat_time * units.fs
        pfactor = barostat**2 * settings.bulk_modulus * units.GPa
    return {
        "externalstress": settings.pressure * units.GPa,
        "ttime": settings.thermostat_time * units.fs,
        "pfactor": pfactor,
        "mask": None if settings.mask is None else np.array(settings.mask),
    }


def _mtk(settings: Settings, n_atoms: int) -> dict[str, Any]:
    return {
        **_nose_hoover_chain(settings, n_atoms),
        "pressure_au": settings.pressure * units.GPa,
        "pdamp": settings.barostat_time * units.fs,
        "pchain": settings.chain_length,
    }


def _masked_mtk(settings: Settings, n_atoms: int) -> dict[str, Any]:
    # A tuple of booleans would be taken for indices where ASE picks the axes that move.
    return {**_mtk(settings, n_atoms), "mask": np.array(settings.mask, dtype=bool)}


def _berendsen(settings: Settings, n_atoms: int) -> dict[str, Any]:
    return {
        "pressure_au": settings.pressure * units.GPa,
        "taut": settings.thermostat_time * units.fs,
        "taup": settings.barostat_time * units.fs,
        "compressibility_au": 1 / (settings.bulk_modulus * units.GPa),
        "fixcm": settings.remove_drift and n_atoms > 1,
        "mask": tuple(settings.mask or (1, 1, 1)),
    }


def _multiple(settings: Settings, n_atoms: int) -> dict[str, Any]:
    del n_atoms
    return {"direct_steps": settings.direct_steps}


def _multiple_langevin(settings: Settings, n_atoms: int) -> dict[str, Any]:
    return {**_multiple(settings, n_atoms), "friction": settings.friction / units.fs}


def _multiple_bussi(settings: Settings, n_atoms: int) -> dict[str, Any]:
    return {**_multiple(settings, n_atoms), "taut": settings.thermostat_time * units.fs / settings.direct_steps}


def _total_energy(dynamics: Any) -> float:
    return float(dynamics.atoms.get_total_energy())


def _energy_before_bath(dynamics: Any) -> float:
    return _total_energy(dynamics) - float(dynamics.transferred_energy)


def _heat_by_method(dynamics: Any, temperature: float) -> None:
    dynamics.set_temperature(temperature_K=temperature)


_CONSERVED = methodcaller("get_conserved_energy")
_CHAIN = partial(Integrator, heat=ase_compat.heat_chain, conserved=_CONSERVED)
INTEGRATORS: dict[str, Integrator] = {
    "nve": Integrator(VelocityVerlet, lambda *_: {}, conserved=_total_energy),
    "nvt-langevin": Integrator(Langevin, _langevin, _heat_by_method, is_random=True, needs_constraint=True),
    "nvt-andersen": Integrator(Andersen, _andersen, _heat_by_method, is_random=True),
    "nvt-nose-hoover-chain": _CHAIN(NoseHooverChainNVT, _nose_hoover_chain, state=ase_compat.NOSE_HOOVER_CHAIN),
    "nvt-bussi": Integrator(
        Bussi,
        _bussi,
        ase_compat.heat_bussi,
        ase_compat.BUSSI,
        _energy_before_bath,
        is_random=True,
        needs_constraint=True,
    ),
    "npt-melchionna": Integrator(
        MelchionnaNPT,
        _melchionna,
        ase_compat.heat_melchionna,
        ase_compat.MELCHIONNA,
        methodcaller("get_gibbs_free_energy"),
        triangular=True,
    ),
    "npt-mtk-isotropic": _CHAIN(IsotropicMTKNPT, _mtk, state=ase_compat.MTK_ISOTROPIC),
    "npt-mtk": _CHAIN(MTKNPT, _mtk, state=ase_compat.MTK),
    "npt-mtk-masked": _CHAIN(MaskedMTKNPT, _masked_mtk, state=ase_compat.MTK_MASKED),
    "npt-berendsen": Integrator(Inhomogeneous_NPTBerendsen, _berendsen, _heat_by_method, needs_constraint=True),
}
"""By ensemble; ``npt-mtk-masked`` is ``npt-mtk`` with a mask, another class of ASE's with a state of its own."""


LAMMPS = Integrator(
    LammpsDynamics,
    lambda settings, n_atoms: {"settings": settings, "rests": settings.remove_drift and n_atoms > 1},
    lambda *_: None,  # LAMMPS follows a ramp by itself
    state=("restart",),
    conserved=attrgetter("conserved"),
    is_random=True,
    next_step=next_step,
)
"""All ensembles of the backend ``lammps``."""


_MULTIPLE = partial(Integrator, needs_constraint=True, next_step=lambda settings, step: step + settings.direct_steps)
MULTIPLE: dict[str, Integrator] = {
    "nve": _MULTIPLE(MultipleTimeStepping, _multiple, conserved=_total_energy),
    "nvt-langevin": _MULTIPLE(MultipleLangevin, _multiple_langevin, _heat_by_method, is_random=True),
    "nvt-bussi": _MULTIPLE(
        MultipleBussi, _multiple_bussi, ase_compat.heat_bussi, ase_compat.BUSSI, _energy_before_bath, is_random=True
    ),
}
"""By ensemble, with ``direct_steps``."""


def integrator_of(settings: Settings) -> Integrator:
    """Return the integrator of an ensemble."""
    if settings.backend == "lammps":
        return LAMMPS
    if settings.direct_steps is not None:
        return MULTIPLE[settings.ensemble]
    masked = settings.ensemble == "npt-mtk" and settings.mask is not None
    return INTEGRATORS["npt-mtk-masked" if masked else settings.ensemble]


def fix_centre_of_mass(atoms: Atoms, settings: Settings) -> None:
    """Constrain the centre of mass of a structure, where that is asked for and the integrator does not do it itself."""
    if settings.remove_drift and len(atoms) > 1 and integrator_of(settings).needs_constraint:
        atoms.set_constraint(FixCom())


def degrees_of_freedom(n_atoms: int, settings: Settings) -> int:
    """Return how many degrees of freedom move; ASE's Melchionna integrator always keeps the centre of mass in place."""
    is_fixed = settings.remove_drift or settings.ensemble == "npt-melchionna"
    return 3 * n_atoms - 3 if is_fixed and n_atoms > 1 else 3 * n_atoms


def read_state(dynamics: MolecularDynamics, integrator: Integrator) -> dict[str, np.ndarray[Any, Any]]:
    """Return what the integrator keeps, by attribute; some make a part of it at their first step only."""
    found = {path: _find(dynamics, path) for path in integrator.state}
    return {path: np.array(value, order="K") for path, value in found.items() if value is not None}


def _find(dynamics: MolecularDynamics, path: str) -> Any:
    try:
        return attrgetter(path)(dynamics)
    except AttributeError:
        return None


def write_state(dynamics: MolecularDynamics, state: dict[str, np.ndarray[Any, Any]]) -> None:
    """Put back what :func:`read_state` returned."""
    for path, value in state.items():
        owner, _, name = path.rpartition(".")
        target = attrgetter(owner)(dynamics) if owner else dynamics
        setattr(target, name, value.copy(order="K") if value.ndim else value.item())

"""ASE's integrators: how each ensemble is set up, and all that one of them keeps between two steps.

The kinetic temperature counts the degrees of freedom that move: 3 N, or 3 N - 3 where the centre of mass is fixed.
ASE's Nosé-Hoover chains count 3 N always; their thermostat is told the right number here, or a small cell would be
N / (N - 1) times too hot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
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
from crucible_engine.tasks.dynamics.settings import Settings


@dataclass(frozen=True)
class Integrator:
    """One of ASE's integrators.

    :param make: sets it up: from the structure with its momenta, the settings, the target temperature (K) and the
        source of random numbers.
    :param state: the attributes, by dotted path, that hold what it keeps between two steps besides positions, momenta
        and cell of the structure, the random numbers' state, and what :attr:`make` derives from the settings.
    :param heat: sets another target temperature (K).
    :param conserved: the conserved quantity (eV) at a constant target; ``None`` where there is none.
    :param needs_constraint: whether only a constraint on the structure (``FixCom``) keeps its centre of mass in place.
    :param triangular: whether the cell must be a triangular matrix.
    """

    make: Callable[[Atoms, Settings, float, np.random.Generator], MolecularDynamics]
    heat: Callable[[Any, float], None] | None = None
    state: tuple[str, ...] = ()
    conserved: Callable[[Any], float] | None = None
    needs_constraint: bool = False
    triangular: bool = False


def _nve(atoms: Atoms, settings: Settings, temperature: float, rng: np.random.Generator) -> MolecularDynamics:
    del temperature, rng
    return VelocityVerlet(atoms, settings.time_step * units.fs)


def _langevin(atoms: Atoms, settings: Settings, temperature: float, rng: np.random.Generator) -> MolecularDynamics:
    friction = _given(settings.friction) / units.fs
    step = settings.time_step * units.fs
    return Langevin(atoms, step, temperature_K=temperature, friction=friction, fixcm=False, rng=rng)


def _andersen(atoms: Atoms, settings: Settings, temperature: float, rng: np.random.Generator) -> MolecularDynamics:
    return Andersen(
        atoms,
        settings.time_step * units.fs,
        temperature_K=temperature,
        andersen_prob=_given(settings.collision_probability),
        fixcm=settings.remove_drift and len(atoms) > 1,
        rng=rng,
    )


def _bussi(atoms: Atoms, settings: Settings, temperature: float, rng: np.random.Generator) -> MolecularDynamics:
    tau = _given(settings.thermostat_time) * units.fs
    return Bussi(atoms, settings.time_step * units.fs, temperature_K=temperature, taut=tau, rng=rng)


def _nose_hoover_chain(
    atoms: Atoms, settings: Settings, temperature: float, rng: np.random.Generator
) -> MolecularDynamics:
    del rng
    dynamics = NoseHooverChainNVT(
        atoms,
        settings.time_step * units.fs,
        temperature_K=temperature,
        tdamp=_given(settings.thermostat_time) * units.fs,
        tchain=settings.chain_length,
    )
    _count_degrees_of_freedom(dynamics, settings, temperature)
    return dynamics


def _melchionna(atoms: Atoms, settings: Settings, temperature: float, rng: np.random.Generator) -> MolecularDynamics:
    del rng
    pfactor = settings.pfactor
    if pfactor is None:
        barostat = _given(settings.barostat_time) * units.fs
        pfactor = barostat**2 * _given(settings.bulk_modulus) * units.GPa
    return MelchionnaNPT(
        atoms,
        settings.time_step * units.fs,
        temperature_K=temperature,
        externalstress=_given(settings.pressure) * units.GPa,
        ttime=_given(settings.thermostat_time) * units.fs,
        pfactor=pfactor,
        mask=None if settings.mask is None else np.array(settings.mask),
    )


def _mtk(atoms: Atoms, settings: Settings, temperature: float, rng: np.random.Generator) -> MolecularDynamics:
    del rng
    arguments: dict[str, Any] = {
        "timestep": settings.time_step * units.fs,
        "temperature_K": temperature,
        "pressure_au": _given(settings.pressure) * units.GPa,
        "tdamp": _given(settings.thermostat_time) * units.fs,
        "pdamp": _given(settings.barostat_time) * units.fs,
        "tchain": settings.chain_length,
        "pchain": settings.chain_length,
    }
    if settings.ensemble == "npt-mtk-isotropic":
        dynamics = IsotropicMTKNPT(atoms, **arguments)
    elif settings.mask is None:
        dynamics = MTKNPT(atoms, **arguments)
    else:
        # A tuple of booleans would be taken for indices where ASE picks the axes that move.
        dynamics = MaskedMTKNPT(atoms, **arguments, mask=np.array(settings.mask, dtype=bool))
    _count_degrees_of_freedom(dynamics, settings, temperature)
    return dynamics


def _berendsen(atoms: Atoms, settings: Settings, temperature: float, rng: np.random.Generator) -> MolecularDynamics:
    del rng
    return Inhomogeneous_NPTBerendsen(
        atoms,
        settings.time_step * units.fs,
        temperature_K=temperature,
        pressure_au=_given(settings.pressure) * units.GPa,
        taut=_given(settings.thermostat_time) * units.fs,
        taup=_given(settings.barostat_time) * units.fs,
        compressibility_au=1 / (_given(settings.bulk_modulus) * units.GPa),
        fixcm=settings.remove_drift and len(atoms) > 1,
        mask=tuple(settings.mask or (1, 1, 1)),
    )


def _heat_by_method(dynamics: Any, temperature: float) -> None:
    dynamics.set_temperature(temperature_K=temperature)


def _total_energy(dynamics: Any) -> float:
    return float(dynamics.atoms.get_total_energy())


def _bussi_energy(dynamics: Any) -> float:
    return float(dynamics.atoms.get_total_energy() - dynamics.transferred_energy)


def _conserved_energy(dynamics: Any) -> float:
    return float(dynamics.get_conserved_energy())


def _gibbs_energy(dynamics: Any) -> float:
    return float(dynamics.get_gibbs_free_energy())


_MTK = Integrator(_mtk, ase_compat.heat_chain, ase_compat.MTK, _conserved_energy)
INTEGRATORS: dict[str, Integrator] = {
    "nve": Integrator(_nve, conserved=_total_energy),
    "nvt-langevin": Integrator(_langevin, _heat_by_method, needs_constraint=True),
    "nvt-andersen": Integrator(_andersen, _heat_by_method),
    "nvt-nose-hoover-chain": Integrator(
        _nose_hoover_chain, ase_compat.heat_chain, ase_compat.NOSE_HOOVER_CHAIN, _conserved_energy
    ),
    "nvt-bussi": Integrator(_bussi, ase_compat.heat_bussi, ase_compat.BUSSI, _bussi_energy, needs_constraint=True),
    "npt-melchionna": Integrator(
        _melchionna, ase_compat.heat_melchionna, ase_compat.MELCHIONNA, _gibbs_energy, triangular=True
    ),
    "npt-mtk-isotropic": Integrator(_mtk, ase_compat.heat_chain, ase_compat.MTK_ISOTROPIC, _conserved_energy),
    "npt-mtk": _MTK,
    "npt-mtk-masked": Integrator(_mtk, ase_compat.heat_chain, ase_compat.MTK_MASKED, _conserved_energy),
    "npt-berendsen": Integrator(_berendsen, _heat_by_method, needs_constraint=True),
}
"""By ensemble; ``npt-mtk-masked`` is ``npt-mtk`` with a mask, another class of ASE's with a state of its own."""


def integrator_of(settings: Settings) -> Integrator:
    """Return the integrator of an ensemble."""
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


def _count_degrees_of_freedom(dynamics: Any, settings: Settings, temperature: float) -> None:
    if settings.remove_drift and len(dynamics.atoms) > 1:
        tdamp = _given(settings.thermostat_time) * units.fs
        ase_compat.replace_thermostat(
            dynamics, len(dynamics.atoms) - 1, temperature, tdamp, _given(settings.chain_length)
        )


def _given(value: Any) -> Any:
    """Return a parameter that validation has completed for the ensemble."""
    assert value is not None
    return value

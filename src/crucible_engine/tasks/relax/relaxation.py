"""The relaxation of one structure with ASE's optimizers and cell filter, its space group found, made exact and kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, make_dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.constraints import FixSymmetry
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS, FIRE, LBFGS
from ase.spacegroup.symmetrize import check_symmetry
from numpy.typing import NDArray

from crucible_engine.tasks.relax.parameters import RELAX
from crucible_engine.wire.schema import Condition, EngineError

# Arguments are spelt out, so that another default in another ASE does not change our numbers.
OPTIMIZERS: dict[str, tuple[type, dict[str, Any]]] = {
    "FIRE": (FIRE, {"dt": 0.1, "maxstep": 0.2, "dtmax": 1.0, "Nmin": 5, "finc": 1.1, "fdec": 0.5, "a": 0.1}),
    "LBFGS": (LBFGS, {"maxstep": 0.2, "memory": 100, "damping": 1.0, "alpha": 70.0}),
    "BFGS": (BFGS, {"maxstep": 0.2, "alpha": 70.0}),
}

CELL_FILTERS: dict[str, dict[str, bool]] = {
    "full": {},
    "shape": {"constant_volume": True},
    "volume": {"hydrostatic_strain": True},
}

RUNAWAY_FACTOR = 3.0
"""A volume or a lattice vector that grew or shrank by more than this has left the crystal that was asked about."""

OUTCOMES = ("converged", "not-converged", "non-finite", "runaway")
"""From good to bad."""


class Settings(make_dataclass("Values", RELAX, frozen=True)):  # type: ignore[misc]
    """How to relax: the parameters of :data:`crucible_engine.tasks.relax.parameters.RELAX` by their names."""


@dataclass(frozen=True)
class Step:
    """A relaxation on its way.

    :param number: optimizer steps taken.
    :param fmax: what is compared with the parameter ``fmax``: the largest norm of a force or of a row of the cell's
        generalised force divided by the number of atoms, eV/Å and eV.
    """

    number: int
    fmax: float


@dataclass(frozen=True)
class End:
    """How a relaxation ended.

    :param outcome: one of :data:`OUTCOMES`.
    :param max_force: largest norm of a force (symmetrised where symmetry is kept), eV/Å.
    :param max_stress: largest component of the stress that still drives the cell, GPa; ``None`` for a fixed cell.
    """

    outcome: str
    step: Step
    max_force: float
    max_stress: float | None


class CellFilter(FrechetCellFilter):
    """ASE's cell filter, made to derive a geometry's forces once.

    Optimizers ask for them three times a step, and the matrix logarithm behind each answer costs as much as a model's
    evaluation of a small cell.
    """

    def __init__(self, atoms: Atoms, **arguments: Any) -> None:
        self._forces: NDArray[np.float64] | None = None
        super().__init__(atoms, **arguments)

    def set_positions(self, new: NDArray[np.float64], **arguments: Any) -> None:
        """Set the generalised coordinates [n_atoms + 3, 3]."""
        self._forces = None
        super().set_positions(new, **arguments)

    def get_forces(self) -> NDArray[np.float64]:
        """Return the generalised forces [n_atoms + 3, 3]."""
        if self._forces is None:
            self._forces = super().get_forces()
        return self._forces.copy()


def relax_structure(atoms: Atoms, settings: Settings, observe: Callable[[Step], None]) -> End:
    """Relax a structure in place, until it converges, fails physically or has used up its steps.

    :param atoms: with its calculator, and its constraint where symmetry is kept.
    :param observe: called at every step that has finite numbers, step 0 included.
    """
    target = _target(atoms, settings)
    cell_before = atoms.cell.array.copy()
    optimizer_type, arguments = OPTIMIZERS[settings.optimizer]
    outcome, step = "not-converged", Step(0, float("nan"))
    with optimizer_type(target, logfile=None, **arguments) as optimizer:
        for converged in optimizer.irun(fmax=settings.fmax, steps=settings.max_steps):
            forces = target.get_forces()
            step = Step(optimizer.nsteps, _largest_norm(forces))
            if not np.isfinite(forces).all() or not np.isfinite(atoms.get_potential_energy()):
                outcome = "non-finite"
                break
            if _ran_away(cell_before, atoms.cell.array):
                outcome = "runaway"
                break
            observe(step)
            if converged:
                outcome = "converged"
    return End(outcome, step, _largest_norm(atoms.get_forces()), _driving_stress(target))


def find_space_group(atoms: Atoms, tolerance: float) -> dict[str, Any] | None:
    """Return the space group of a crystal as ``{"number", "symbol"}``, of the International Tables.

    ``None`` where spglib is missing or finds no space group.

    :param atoms: periodic in three directions.
    :param tolerance: Å.
    """
    dataset = check_symmetry(atoms, symprec=tolerance) if find_spec("spglib") else None
    return None if dataset is None else {"number": int(dataset.number), "symbol": str(dataset.international)}


def symmetrize(label: str, atoms: Atoms, tolerance: float) -> FixSymmetry | None:
    """Make a crystal obey its space group to the last digit and return the constraint that keeps it so.

    Noise within the tolerance would otherwise lower the group that stricter searches find later: tetragonal PbTiO3 then
    needs 30 displacements for its phonons instead of 8.

    :param atoms: periodic in three directions; its cell and positions are changed in place, by about the tolerance.
    :param tolerance: Å.
    :return: the constraint, not yet set, ``None`` for P1. It acts in fractional coordinates and so suits every later
        geometry.
    :raises EngineError: ``INVALID_STRUCTURE``, if no space group is found at this tolerance.
    """
    problem = EngineError(
        Condition.INVALID_STRUCTURE,
        f"no consistent space group of structure {label!r} is found at symmetry_tolerance {tolerance:g} Å: "
        "choose another tolerance, or set keep_symmetry to false",
    )
    before = find_space_group(atoms, tolerance)
    if before is None:
        raise problem
    if before["number"] == 1:
        return None
    constraint = FixSymmetry(atoms, symprec=tolerance)
    if find_space_group(atoms, tolerance) != before:
        raise problem
    return constraint


def largest_shift(before: Atoms, after: Atoms) -> float:
    """Return by how much the atom that moved most did, Å; atoms keep their order and periodic image."""
    return float(np.linalg.norm(after.positions - before.positions, axis=1).max())


def _target(atoms: Atoms, settings: Settings) -> Atoms | CellFilter:
    """Return what the optimizer moves."""
    if settings.cell == "fixed":
        return atoms
    return CellFilter(atoms, scalar_pressure=settings.pressure * units.GPa, **CELL_FILTERS[settings.cell])


def _driving_stress(target: Atoms | CellFilter) -> float | None:
    if isinstance(target, Atoms):
        return None
    # The filter keeps what it last derived its forces from: the stress beyond the pressure, projected on what moves.
    return float(np.abs(target.stress).max() / units.GPa)


def _largest_norm(forces: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(forces, axis=1).max())


def _ran_away(before: NDArray[np.float64], now: NDArray[np.float64]) -> bool:
    if not np.linalg.det(before):
        return False
    lengths = np.linalg.norm(now, axis=1) / np.linalg.norm(before, axis=1)
    factors = np.array([*lengths, abs(np.linalg.det(now) / np.linalg.det(before))])
    return bool((factors > RUNAWAY_FACTOR).any() or (factors < 1 / RUNAWAY_FACTOR).any())

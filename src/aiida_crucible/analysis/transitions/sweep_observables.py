"""What the search for transitions gets of a sweep: observables on the scale of its tests, with errors that hold.

Shapes of the unit cell enter as strains from the given structure: a c/a of 1.06 and an angle of 90° are no sizes of
anything. An average of too few independent values does not enter at all. What does has an error that was tried on the
sweep itself: parameters that a robust space group fixes (c/a of a cubic crystal) are off it by errors and nothing else,
so that their typical size over all runs, in units of the stated errors, says by how much those are too small (Birge,
Phys. Rev. 40, 207 (1932)). It is read from the median: a distortion that the space group's tolerance hides is off at
some temperatures in some parameters, and must not pass for noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from aiida_crucible.analysis.crystal.lattice_symmetry import STRAINS, strain, strain_error
from aiida_crucible.analysis.dynamics.temperature_record import DONE, TemperatureRecord, ascending, integration_fault
from aiida_crucible.analysis.statistics.averages import FEWEST_SAMPLES
from aiida_crucible.analysis.transitions.models import Role
from aiida_crucible.analysis.transitions.records import MELTED, SweepRun

ROLES: dict[str, Role] = {
    "order_parameter": Role.ORDER_PARAMETER,
    "polarization": Role.ORDER_PARAMETER,
    **dict.fromkeys(STRAINS, Role.STRAIN),
    "volume": Role.VOLUME,
}
"""The averages in which a transition shows."""

SIZES = {"order_parameter": 0.5, **dict.fromkeys(STRAINS, 0.01)}
"""Least step of an observable that no search may miss: half of the displacements that the given structure has, a strain
of 1 % (tetragonal BaTiO3 has 1.1 %). The polarization follows the same displacements and has no scale of its own."""

FEWEST_FIXED = 4
"""Parameters that space groups fix, in all runs together, from which errors are tried on them."""

MEDIAN = 0.6745
"""Median of the absolute value of a Gaussian of unit variance."""

CONTRADICTION = 5.0
"""Errors by which a lattice is off its space group that show it is another one's."""

FEWEST_THAT_MELT = 100
"""Atoms of a cell whose loss of order in a single run is melting. Smaller ones lose it by a fluctuation, far below: 32
atoms of EMT's aluminium now and then within 10 ps at 600 K, where 256 are a crystal still at 700 K."""


def sweep_runs(records: Sequence[TemperatureRecord]) -> list[SweepRun]:
    """Return what a search for transitions takes of a sweep: its runs that are done, ascending in temperature.

    Averages that are the same everywhere or were fixed (a lattice at constant volume) are left out.
    """
    done = [record for record in ascending(records) if record.state == DONE]
    moving = [name for name in ROLES if any(record.average(name).get("standard_deviation") for record in done)]
    molten = [record for record in done if record.outcome == MELTED]
    runs = [_run(record, moving, is_alone=len(molten) == 1) for record in done]
    forbidden = [record.values.get("forbidden_strains", {}) for record in done]
    scale = _error_scale(runs, forbidden)
    return [_tried(run, off, scale) for run, off in zip(runs, forbidden, strict=True)]


def _run(record: TemperatureRecord, names: Sequence[str], *, is_alone: bool) -> SweepRun:
    known = [name for name in names if record.average(name).get("standard_error") is not None]
    short = {name: _steps_needed(record, name) for name in known if record.average(name)["warning"]}
    return SweepRun(
        temperature=record.temperature,
        outcome=str(record.outcome),
        observables={name: _observable(record, name) for name in known if name not in short},
        space_group=_group_number(record.space_group),
        # A mean structure is no better known than the mean lattice.
        robust=record.is_robust and not any(name in short for name in STRAINS),
        short=short,
        artefact=_artefact(record, is_alone) if record.is_lost else "",
    )


def _artefact(record: TemperatureRecord, is_alone: bool) -> str:
    """Return why a crystal may have been lost to how it was run; empty where nothing says so.

    :param is_alone: whether no other run of the sweep melted.
    """
    n_atoms = record.values.get("n_atoms")
    if record.outcome == MELTED and is_alone and n_atoms is not None and n_atoms < FEWEST_THAT_MELT:
        return f"alone, in a cell of {n_atoms} atoms; a hotter run too, or at least {FEWEST_THAT_MELT} atoms would tell"
    return integration_fault(record)


def _observable(record: TemperatureRecord, name: str) -> tuple[float, float]:
    item = record.average(name)
    if name not in STRAINS:
        return item["mean"], item["standard_error"]
    reference = record.values["given_lattice"][name]
    return strain(name, item["mean"], reference), strain_error(name, item["standard_error"], reference)


def _steps_needed(record: TemperatureRecord, name: str) -> float | None:
    """Return how many steps would be worth enough independent values, at the rate of those that were done."""
    item = record.average(name)
    if "steps" not in record.values or not item.get("n_effective"):
        return None
    return float(record.values["steps"] * FEWEST_SAMPLES / item["n_effective"])


def _error_scale(runs: Sequence[SweepRun], forbidden: Sequence[Mapping[str, float]]) -> float:
    """Return by how much the errors of strains are too small, at least 1."""
    ratios = [
        abs(off) / run.observables[name][1]
        for run, strains in zip(runs, forbidden, strict=True)
        for name, off in strains.items()
        if run.robust and name in run.observables and run.observables[name][1] > 0
    ]
    return max(1.0, float(np.median(ratios)) / MEDIAN) if len(ratios) >= FEWEST_FIXED else 1.0


def _tried(run: SweepRun, forbidden: Mapping[str, float], scale: float) -> SweepRun:
    """Return a run with its strains' errors scaled, and without a space group that its lattice contradicts."""
    observables = {
        name: (value, error * scale) if name in STRAINS else (value, error)
        for name, (value, error) in run.observables.items()
    }
    contradicted = any(
        abs(off) > CONTRADICTION * observables[name][1] for name, off in forbidden.items() if name in observables
    )
    robust = run.robust and not contradicted
    return replace(run, observables=observables, robust=robust, fixed=tuple(forbidden) if robust else ())


def _group_number(space_group: str | None) -> int | None:
    return None if space_group is None else int(space_group.rpartition("(")[2].rstrip(")"))

"""What became of one temperature of a sweep, and why its run failed.

A run that explodes says nothing of states of matter. What speaks for the time step, the start or the size of the cell
is looked for rather than a property of the crystal: a time step that does not follow the stiffest vibrations (velocity
Verlet is unstable beyond 2/ω), so that the conserved energy grows; a start far from equilibrium, whose potential energy
becomes heat; a cell so small that atoms meet their own images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ase.units import kB

from aiida_crucible.analysis.transitions.records import CRYSTAL_OUTCOMES, FAILED_OUTCOMES
from crucible_engine.tasks.dynamics.parameters import time_step_warning

DONE, FAILED, NOT_RUN = "done", "failed", "not-run"

LARGE_FORCE = 1.0
"""eV/Å: of an atom at the start, which no relaxed crystal has; moved by 0.1 Å it gains some 0.05 eV."""

LARGE_PRESSURE = 5.0
"""GPa: at the start; some 5 % of a crystal's volume."""

FEW_ATOMS = 20
"""Fewer in a cell meet their own images within the reach of most models, and exchange heat by a fifth and more."""

Values = Mapping[str, Any]


@dataclass(frozen=True)
class TemperatureRecord:
    """What became of one temperature.

    :param temperature: K.
    :param state: ``done`` (whatever the physics said), ``failed`` (a job did) or ``not-run``.
    :param reason: one line: of the failure, of not being run, or what the watch saw.
    :param outcome: a word of :data:`crucible_engine.wire.schema.OUTCOMES_OF_DYNAMICS`, of what is done.
    :param values: see :func:`aiida_crucible.analysis.dynamics.temperature_run.analyse_run`, with ``steps`` (to be done)
        and ``time_step`` (fs); without averages where nothing was averaged.
    """

    label: str
    temperature: float
    state: str
    reason: str
    outcome: str | None
    values: Mapping[str, Any]

    @property
    def is_crystal(self) -> bool:
        """Whether it was run and the crystal survived."""
        return self.state == DONE and self.outcome in CRYSTAL_OUTCOMES

    @property
    def is_lost(self) -> bool:
        """Whether it was run and the crystal was lost, to a melt or to a failure."""
        return self.state == DONE and not self.is_crystal

    @property
    def is_broken(self) -> bool:
        """Whether it was run and what it ended in is no state of matter."""
        return self.state == DONE and self.outcome in FAILED_OUTCOMES

    @property
    def space_group(self) -> str | None:
        """The mean structure's, as ``P4mm (99)``; ``None`` where there is none."""
        group: str | None = self.values.get("mean_structure", {}).get("space_group")
        return group

    @property
    def is_robust(self) -> bool:
        """Whether that space group holds over a range of tolerances."""
        return bool(self.values.get("mean_structure", {}).get("robust"))

    @property
    def duration(self) -> float | None:
        """How long it was to run, ps; ``None`` where that is not known."""
        if not {"steps", "time_step"} <= self.values.keys():
            return None
        return float(self.values["steps"] * self.values["time_step"] / 1000)

    def average(self, name: str) -> Mapping[str, Any]:
        """Return the average of that name; empty where there is none."""
        found: Mapping[str, Any] = self.values.get("averages", {}).get(name, {})
        return found


def ascending(records: Sequence[TemperatureRecord]) -> list[TemperatureRecord]:
    """Return the records by temperature."""
    return sorted(records, key=lambda record: record.temperature)


def likely_cause(record: TemperatureRecord) -> str:
    """Return one line on why a run most likely failed.

    :param record: of the run, with what is known of ``time_step`` (fs), ``lightest_mass`` (u), ``n_atoms``,
        ``conserved_drift`` (eV/(atom ps)) and ``start`` (``largest_force``, eV/Å, ``pressure``, GPa).
    """
    found = [cause for cause in (_start(record.values), integration_fault(record), _size(record.values)) if cause]
    if found:
        return "; ".join(found)
    return "neither the time step nor the start nor the size of the cell: look at the model's forces there"


def integration_fault(record: TemperatureRecord) -> str:
    """Return why the equations of motion were not followed; empty where nothing says so."""
    values = record.values
    step, mass = values.get("time_step"), values.get("lightest_mass")
    warning = None if step is None or mass is None else time_step_warning(step, mass)
    return warning or _drift(record)


def _drift(record: TemperatureRecord) -> str:
    values = record.values
    drift, step, done = values.get("conserved_drift"), values.get("time_step"), values.get("step")
    if not drift or not step or not done:
        return ""
    gained = abs(drift) * done * step / 1000
    if gained < kB * record.temperature:
        return ""
    return (
        f"the conserved energy drifted by {gained:.2g} eV an atom in {done * step:g} fs: a time step of {step:g} fs is "
        "too long for this model"
    )


def _start(values: Values) -> str:
    start = values.get("start") or {}
    force, pressure = start.get("largest_force"), start.get("pressure")
    parts = [f"forces of up to {force:.3g} eV/Å"] if force is not None and force > LARGE_FORCE else []
    parts += [f"a pressure of {pressure:.3g} GPa"] if pressure is not None and abs(pressure) > LARGE_PRESSURE else []
    return f"it began with {' and '.join(parts)}: relax it first" if parts else ""


def _size(values: Values) -> str:
    n_atoms = values.get("n_atoms")
    return f"{n_atoms} atoms are few: take a larger supercell" if n_atoms is not None and n_atoms < FEW_ATOMS else ""

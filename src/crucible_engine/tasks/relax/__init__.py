"""The task ``relax``: minimise the energy, and continue exactly after an interruption."""

from __future__ import annotations

from crucible_engine.tasks.facts import Task
from crucible_engine.tasks.relax.parameters import RELAX, check_pressure, check_structures, needs_stress

TASK = Task(
    name="relax",
    parameters=RELAX,
    complete=check_pressure,
    changeable=("max_steps",),
    needs_stress=needs_stress,
    without_stress="set cell to 'fixed'",
    check_structures=check_structures,
    rank=1,
)

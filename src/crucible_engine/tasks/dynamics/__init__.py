"""The task ``dynamics``: molecular dynamics with ASE's integrators, exact restarts and streamed output."""

from __future__ import annotations

from crucible_engine.tasks.dynamics.parameters import (
    DETAILS_OF_OUTPUT,
    DYNAMICS,
    check_dynamics,
    check_structures,
    needs_stress,
)
from crucible_engine.tasks.facts import Task

TASK = Task(
    name="dynamics",
    parameters=DYNAMICS,
    complete=check_dynamics,
    has_reference=True,
    changeable=DETAILS_OF_OUTPUT,
    needs_stress=needs_stress,
    without_stress="choose an nvt ensemble or nve",
    check_structures=check_structures,
    rank=2,
)

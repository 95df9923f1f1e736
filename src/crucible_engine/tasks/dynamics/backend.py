"""What computes the forces of a dynamics: the model itself, or LAMMPS with its pair style."""

from __future__ import annotations

from crucible_engine.families.base import Model
from crucible_engine.families.calculators import FreshCalculators
from crucible_engine.job.context import Context
from crucible_engine.tasks.dynamics.lammps.dynamics import LammpsCalculators
from crucible_engine.tasks.dynamics.lammps.setup import Setup
from crucible_engine.tasks.dynamics.multiple_steps.calculators import (
    PairedCalculators,
    calculators_of_forces,
)
from crucible_engine.wire.schema import Job


def calculators_of(
    job: Job, model: Model, context: Context
) -> FreshCalculators | PairedCalculators | LammpsCalculators:
    """Return what gives each replica its calculator.

    :raises EngineError: ``CAPABILITY_MISSING`` or ``PACKAGE_MISSING``, see :func:`calculators_of_forces` and
        :meth:`Setup.of`.
    """
    if job.parameters["backend"] == "ase":
        return calculators_of_forces(job.parameters, model)
    # The cores that are seen here may be those of all ranks.
    threads = job.threads or (context.threads.count if job.ranks == 1 else 1)
    return LammpsCalculators(Setup.of(job, model, context.folder, threads))

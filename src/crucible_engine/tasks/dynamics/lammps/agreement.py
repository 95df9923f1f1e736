"""LAMMPS's numbers against those of the model's own package, where a LAMMPS begins."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from crucible_engine.tasks.dynamics.lammps.setup import Setup
from crucible_engine.tasks.dynamics.lammps.snapshot import Snapshot
from crucible_engine.wire.schema import Condition, EngineError

TOLERANCE = 1e-6
"""Of the energy, relative, or eV an atom where that is less than 1 eV; of forces, relative to the largest, or eV/Å."""


def require_agreement(found: Snapshot, atoms: Atoms, setup: Setup) -> None:
    """Check that LAMMPS's pair style is the model: the weights, the elements of its types, its precision.

    :param atoms: the structure that LAMMPS holds.
    :raises EngineError: ``WEIGHTS_MISMATCH``.
    """
    bare = Atoms(atoms.numbers, positions=found.positions, cell=found.cell, pbc=atoms.pbc)
    (own,) = setup.model.evaluate_batch([bare])
    if not (np.isfinite(own.energy) and np.isfinite(own.forces).all()):
        return
    energy = abs(found.energy - own.energy) / max(abs(own.energy), len(atoms))
    forces = np.abs(found.forces - own.forces).max() / max(np.abs(own.forces).max(), 1.0)
    # Not `>`: a NaN of LAMMPS's is no agreement.
    if energy <= TOLERANCE and forces <= TOLERANCE:
        return
    raise EngineError(
        Condition.WEIGHTS_MISMATCH,
        f"LAMMPS's pair style {setup.pair_style.name!r} is not the model: it gives {found.energy:.9g} eV where "
        f"{setup.family.package} gives {own.energy:.9g}, forces differ by {forces:.2g} of the largest: LAMMPS "
        "needs the release and the precision of this package",
    )

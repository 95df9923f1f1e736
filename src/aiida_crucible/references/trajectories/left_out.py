"""What the frames of a trajectory carry beside geometry, forces and energy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_masses

from aiida_crucible.nodes.foreign_atoms import UNREPRESENTED

KEPT = ("energy", "free_energy", "forces")
OF_EVERY_FRAME = ("numbers", "positions", "masses", *UNREPRESENTED)


def left_out(atoms: Atoms, settings: Mapping[str, Any]) -> str:
    """Return the names of what a frame says that a trajectory has no place for; nothing where that is nothing.

    :param atoms: the frame, with all that its file says of it.
    :param settings: of the import, complete.
    """
    found = [name for name in UNREPRESENTED if name in atoms.arrays and np.any(atoms.arrays[name])]
    if np.any(atoms.get_masses() != atomic_masses[atoms.numbers]):
        found.append("masses of isotopes")
    if atoms.constraints:
        found.append("constraints")
    results = {} if atoms.calc is None else atoms.calc.results
    wanted = {*KEPT, settings["forces_key"], settings["energy_key"]}
    return ", ".join(found + sorted(name for name in results if name not in wanted))


def vectors_of(atoms: Atoms) -> list[str]:
    """Return the names of all vectors that a file gives for each atom, beside its place."""
    said = {**atoms.arrays, **({} if atoms.calc is None else atoms.calc.results)}
    return sorted(
        name for name, value in said.items() if np.shape(value) == (len(atoms), 3) and name not in OF_EVERY_FRAME
    )

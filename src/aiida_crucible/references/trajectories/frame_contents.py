"""What a trajectory's file says of its frames beside geometry and forces: energies, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_masses
from numpy.typing import NDArray

from aiida_crucible.nodes.foreign_atoms import UNREPRESENTED
from crucible_engine.wire.rules import suggestion

USUAL_NAME = "energy"


def gathered_energies(
    energies: Sequence[float | None], settings: Mapping[str, Any], first: Atoms, file: str, warnings: list[str]
) -> NDArray[np.float64] | None:
    """Return the energies of all frames, eV, shape [n_frames]; ``None`` where not all have one.

    :param first: the first frame, with all that its file says of it.
    :param warnings: receives a line where energies are left out.
    :raises ValueError: one line, if no frame has the energy that was asked for by its name.
    """
    missing = [index for index, energy in enumerate(energies) if energy is None]
    if not missing:
        return np.array(energies, dtype=float)
    name = settings["energy_key"]
    if len(missing) < len(energies):
        warnings.append(
            f"{len(missing)} of {len(energies)} frames of {file} have no energy {name!r}, the first of them the "
            f"{_ordinal(missing[0])} that is kept: all energies are left out"
        )
        return None
    named = numbers_of(first)
    if not settings["force_unit"].startswith("eV"):
        if named:
            warnings.append(
                f"the energies in {file} are left out: their unit is not known where forces are in "
                f"{settings['force_unit']}"
            )
        return None
    if name != USUAL_NAME:
        others = suggestion(name, named) if named else "its frames have none"
        raise ValueError(f"no frame of {file} has an energy {name!r}: {others}")
    if likely := [other for other in named if "energy" in other.lower()]:
        warnings.append(f"no frame of {file} has an energy {name!r}, but {likely[0]!r}: give energy_key to have it")
    return None


def numbers_of(atoms: Atoms) -> list[str]:
    """Return the names of all single numbers that a file gives for a frame."""
    said = {**atoms.info, **({} if atoms.calc is None else atoms.calc.results)}
    return sorted(
        name
        for name, value in said.items()
        if np.ndim(value) == 0 and np.issubdtype(np.asarray(value).dtype, np.number)
    )


def _ordinal(index: int) -> str:
    number = index + 1
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


KEPT = ("energy", "free_energy", "forces")
OF_EVERY_FRAME = ("numbers", "positions", "masses", *UNREPRESENTED)


def left_out(atoms: Atoms, settings: Mapping[str, Any]) -> str:
    """Return the names of what a frame says that a trajectory has no place for; nothing where that is nothing.

    :param atoms: the frame, with all that its file says of it.
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

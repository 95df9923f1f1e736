"""LAMMPS's data file of a structure: its box, masses, positions and velocities, with every digit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from numpy.typing import NDArray

from crucible_engine.tasks.dynamics.lammps.frame import Frame
from crucible_engine.tasks.dynamics.lammps.units import MASS, PICOSECOND

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Species:
    """LAMMPS's atom types: one for each element, or more where its atoms differ in mass.

    :param symbols: of each type, from the first.
    :param masses: of each type, u.
    :param types: of each atom, from 1, [n_atoms].
    """

    symbols: tuple[str, ...]
    masses: tuple[float, ...]
    types: NDArray[np.intp]

    @classmethod
    def of(cls, atoms: Atoms) -> Species:
        """Return the types of a structure, in the order of atomic numbers and masses."""
        kinds = list(zip(atoms.numbers.tolist(), atoms.get_masses().tolist(), strict=True))
        distinct = sorted(set(kinds))
        types = np.array([distinct.index(kind) + 1 for kind in kinds])
        symbols = tuple(chemical_symbols[number] for number, _ in distinct)
        return cls(symbols, tuple(mass for _, mass in distinct), types)


def data_file(atoms: Atoms, frame: Frame, species: Species) -> str:
    """Return the content of a data file for ``atom_style atomic`` and units ``metal``.

    :param atoms: periodic in three directions, with its momenta; positions may be outside of the cell.
    """
    cell = frame.turn_cell(atoms.cell.array)
    (x, _, _), (xy, y, _), (xz, yz, z) = cell.tolist()
    positions = frame.turn(atoms.positions)
    velocities = frame.turn(atoms.get_velocities()) * PICOSECOND
    lines = [
        "written by aiida-crucible",
        "",
        f"{len(atoms)} atoms",
        f"{len(species.symbols)} atom types",
        f"0 {x!r} xlo xhi",
        f"0 {y!r} ylo yhi",
        f"0 {z!r} zlo zhi",
        f"{xy!r} {xz!r} {yz!r} xy xz yz",
        *_section("Masses", ([mass * MASS] for mass in species.masses)),
        *_section(
            "Atoms # atomic",
            ([kind, *xyz] for kind, xyz in zip(species.types.tolist(), positions.tolist(), strict=True)),
        ),
        *_section("Velocities", velocities.tolist()),
    ]
    return "\n".join(lines) + "\n"


def _section(title: str, rows: object) -> list[str]:
    """Return a section whose rows are numbered from 1."""
    numbered = [" ".join(map(repr, [index, *row])) for index, row in enumerate(rows, start=1)]  # type: ignore[arg-type, var-annotated]
    return ["", title, "", *numbered]

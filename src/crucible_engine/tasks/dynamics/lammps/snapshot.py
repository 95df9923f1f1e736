"""What LAMMPS says of one step: a line of scalars, and a file with a row for each atom."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crucible_engine.tasks.dynamics.lammps.frame import Frame
from crucible_engine.tasks.dynamics.lammps.units import PICOSECOND, PRESSURE

Array = NDArray[np.float64]

SCALARS = (
    "step", "pe", "conserved",
    "xlo", "ylo", "zlo", "xhi", "yhi", "zhi", "xy", "xz", "yz",
    *(f"c_virial[{component}]" for component in range(1, 7)),
)  # fmt: skip
"""What is asked: LAMMPS's words, but for the conserved quantity, whose word depends on the ensemble."""
FORCES = "fix forces all store/force"
"""Has to be the first of all fixes: it keeps the forces of the potential, to which a thermostat adds its own."""
COLUMNS = ("id", "xu", "yu", "zu", "vx", "vy", "vz", "f_forces[1]", "f_forces[2]", "f_forces[3]")
DUMP = f"{' '.join(COLUMNS)} modify sort id format float %.17g"
SECONDS_TO_APPEAR = 30.0
"""How long a shared disk may take to show a file that the first rank has written on another node."""


@dataclass(frozen=True)
class Snapshot:
    """A step, in the axes that were given and ASE's units.

    :param energy: potential energy, eV.
    :param conserved: the conserved quantity, eV.
    :param cell: Å, [3, 3].
    :param positions: Å, not wrapped, [n_atoms, 3].
    :param velocities: in ASE's unit, [n_atoms, 3].
    :param forces: eV/Å, [n_atoms, 3].
    :param stress: eV/Å³, ASE's sign, [6]; the potential's, without the motion.
    """

    step: int
    energy: float
    conserved: float
    cell: Array
    positions: Array
    velocities: Array
    forces: Array
    stress: Array


def question(conserved: str) -> str:
    """Return what LAMMPS is to print: :data:`SCALARS` with every digit.

    :param conserved: LAMMPS's words for the conserved quantity.
    """
    return " ".join(f"$({conserved if word == 'conserved' else word}:%.17g)" for word in SCALARS)


def read_snapshot(words: Sequence[str], path: Path, n_atoms: int, frame: Frame) -> Snapshot:
    """Return what LAMMPS says of a step.

    :param words: the answer to :func:`question`.
    :param path: the file of :data:`DUMP`.
    :raises ValueError: if the file is of something else.
    """
    said = dict(zip(SCALARS, map(float, words), strict=True))
    cell = np.array(
        [
            [said["xhi"] - said["xlo"], 0.0, 0.0],
            [said["xy"], said["yhi"] - said["ylo"], 0.0],
            [said["xz"], said["yz"], said["zhi"] - said["zlo"]],
        ]
    )
    rows = _rows(path, n_atoms)
    origin = np.array([said["xlo"], said["ylo"], said["zlo"]])
    # LAMMPS gives pressures, in the order xx yy zz xy xz yz.
    stress = -np.array([said[f"c_virial[{component}]"] for component in (1, 2, 3, 6, 5, 4)]) / PRESSURE
    return Snapshot(
        step=int(said["step"]),
        energy=said["pe"],
        conserved=said["conserved"],
        cell=frame.cell_back(cell),
        positions=frame.back(rows[:, 1:4] - origin),
        velocities=frame.back(rows[:, 4:7]) / PICOSECOND,
        forces=frame.back(rows[:, 7:10]),
        stress=frame.stress_back(stress),
    )


def _rows(path: Path, n_atoms: int) -> Array:
    """Return the rows of a dump, in the order of the atoms."""
    deadline = time.monotonic() + SECONDS_TO_APPEAR
    while True:
        numbers = path.read_text(encoding="ascii").partition("ITEM: ATOMS")[2].partition("\n")[2].split()
        if len(numbers) >= n_atoms * len(COLUMNS) or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    rows = np.array(numbers, dtype=np.float64)
    if rows.size != n_atoms * len(COLUMNS):
        raise ValueError(f"{path.name} has {rows.size} numbers, not {len(COLUMNS)} for each of {n_atoms} atoms")
    return rows.reshape(n_atoms, len(COLUMNS))

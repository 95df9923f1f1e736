"""Frames of a trajectory from files, one after the other: only one of them is in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from numpy.typing import NDArray

from aiida_crucible.references.foreign_files import check_trajectory
from aiida_crucible.references.settings import TRAJECTORY
from aiida_crucible.references.trajectories.ase_database import iterate_database
from aiida_crucible.references.trajectories.deepmd import iterate_deepmd
from aiida_crucible.references.trajectories.extxyz import BrokenFrameError, iterate_extxyz
from aiida_crucible.references.trajectories.vasprun import iterate_vasprun
from crucible_engine.wire.rules import first_line

LENGTHS = {"angstrom": 1.0, "bohr": units.Bohr}
FORCES = {
    "eV/angstrom": 1.0,
    "Ry/bohr": units.Rydberg / units.Bohr,
    "Hartree/bohr": units.Hartree / units.Bohr,
    "eV/bohr": 1 / units.Bohr,
}
COMPRESSED = (".gz", ".bz2", ".xz")


@dataclass(frozen=True)
class Frame:
    """One frame.

    :param number: its place in the file, from 0.
    :param atoms: geometry, Å.
    :param forces: eV/Å, shape [n_atoms, 3]; ``None`` where the file has none.
    :param energy: eV; ``None`` where the file has none.
    """

    number: int
    atoms: Atoms
    forces: NDArray[np.float64] | None
    energy: float | None


def format_of(path: Path) -> str:
    """Return ``extxyz``, ``traj``, ``db`` or ``vasprun`` by a file's name, ``deepmd`` for a folder.

    :raises ValueError: one line, if the name tells none of them.
    """
    if path.is_dir():
        return "deepmd"
    suffixes = [suffix for suffix in path.suffixes if suffix not in COMPRESSED]
    ending = suffixes[-1] if suffixes else ""
    found = {".xyz": "extxyz", ".extxyz": "extxyz", ".traj": "traj", ".xml": "vasprun", ".db": "db"}.get(ending)
    if found is None:
        raise ValueError(f"{path.name} is no trajectory by its name: give the format, extxyz, traj, db or vasprun")
    return found


def iterate_frames(path: Path, settings: Mapping[str, Any]) -> Iterator[Frame]:
    """Yield the frames of a file that the settings ask for.

    :param path: an extxyz file, an ASE trajectory or data base, a vasprun.xml, or a folder of deepmd.
    :param settings: complete, see :data:`aiida_crucible.references.settings.TRAJECTORY`.
    :raises ValueError: one line that names the file and the frame, if one cannot be read.
    """
    kind = settings["format"] or format_of(path)
    if kind != "extxyz":
        _require_usual_names(path, kind, settings)
    reader = {"extxyz": _extxyz, "traj": _traj, "vasprun": _vasprun, "deepmd": _deepmd, "db": _database}[kind]
    # Whoever gives forces in other units gives energies in them, too, and of those nothing is known.
    is_in_ev = settings["force_unit"].startswith("eV")
    length, force = LENGTHS[settings["length_unit"]], FORCES[settings["force_unit"]]
    numbers = iter(range(settings["start"], settings["stop"] or 2**62, settings["stride"]))
    frames = reader(path, settings)
    for number in numbers:
        with _named(path, number):
            found = next(frames, None)
        if found is None:
            return
        atoms, forces, energy = found
        if length != 1.0:
            atoms.set_cell(atoms.cell.array * length)
            atoms.positions *= length
        yield Frame(
            number,
            atoms,
            None if forces is None else np.asarray(forces, dtype=float) * force,
            energy if is_in_ev else None,
        )


Read = Iterator[tuple[Atoms, NDArray[np.float64] | None, float | None]]


def _require_usual_names(path: Path, kind: str, settings: Mapping[str, Any]) -> None:
    for key in ("forces_key", "energy_key"):
        if settings[key] != TRAJECTORY[key].default:
            raise ValueError(f"{path.name} is read as {kind}, which has no names to choose from: leave {key} out")


def _extxyz(path: Path, settings: Mapping[str, Any]) -> Read:
    for atoms in iterate_extxyz(path, settings["start"], settings["stop"], settings["stride"]):
        said = {} if atoms.calc is None else atoms.calc.results
        forces = said.get(settings["forces_key"], atoms.arrays.get(settings["forces_key"]))
        energy = said.get(settings["energy_key"], atoms.info.get(settings["energy_key"]))
        yield atoms, forces, None if energy is None else float(energy)


def _traj(path: Path, settings: Mapping[str, Any]) -> Read:
    from ase.io.trajectory import Trajectory

    check_trajectory(path)
    with Trajectory(str(path)) as trajectory:
        for index in range(*slice(settings["start"], settings["stop"], settings["stride"]).indices(len(trajectory))):
            atoms = trajectory[index]
            said = {} if atoms.calc is None else atoms.calc.results
            energy = said.get("energy")
            yield atoms, said.get("forces"), None if energy is None else float(energy)


def _vasprun(path: Path, settings: Mapping[str, Any]) -> Read:
    return islice(iterate_vasprun(path), settings["start"], settings["stop"], settings["stride"])


def _deepmd(path: Path, settings: Mapping[str, Any]) -> Read:
    return islice(iterate_deepmd(path), settings["start"], settings["stop"], settings["stride"])


def _database(path: Path, settings: Mapping[str, Any]) -> Read:
    return islice(iterate_database(path), settings["start"], settings["stop"], settings["stride"])


@contextmanager
def _named(path: Path, number: int) -> Iterator[None]:
    """Name file and frame in whatever a reader says, in one line."""
    try:
        yield
    except BrokenFrameError as error:
        raise ValueError(f"{path.name} cannot be read at frame {error.frame}: {error}") from error
    except Exception as error:
        raise ValueError(f"{path.name} cannot be read at frame {number}: {first_line(error)}") from error

"""A reference trajectory: read frame by frame, each one checked, only what is kept stays in memory."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.neighbours import nearest_distances
from aiida_crucible.nodes.foreign_atoms import require_whole_atoms
from aiida_crucible.references.foreign_files import explained
from aiida_crucible.references.phonopy.atom_order import order_of, place_atoms
from aiida_crucible.references.settings import TRAJECTORY
from aiida_crucible.references.trajectories.frame_contents import gathered_energies, left_out, vectors_of
from aiida_crucible.references.trajectories.frames import Frame, iterate_frames

LARGEST_DRIFT = 1e-3
"""eV/Å an atom by which forces may miss the sum of zero without a warning."""

LARGEST_DEFORMATION = 0.25
"""Change of a cell from that of the first frame, relative; crystals that fluctuate or expand stay far below."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ImportedTrajectory:
    """Frames in ASE's units.

    :param pbc: periodic along each cell vector.
    :param frames: their numbers in the file, shape [n_frames].
    :param cells: Å, shape [n_frames, 3, 3].
    :param positions: Å, shape [n_frames, n_atoms, 3].
    :param forces: eV/Å, shape [n_frames, n_atoms, 3]; ``None`` if the file has none.
    :param energies: eV, shape [n_frames]; ``None`` if the file has none.
    :param supercell: the sites of the atoms, in their order; ``None`` where no structure was given.
    :param values: ``n_frames``, ``n_atoms``, ``permuted``, ``largest_force_drift`` (eV/Å), ``drift_frame``,
        ``force_norm`` (root mean square of a component, eV/Å).
    """

    symbols: list[str]
    pbc: tuple[bool, bool, bool]
    frames: NDArray[np.int64]
    cells: Array
    positions: Array
    forces: Array | None
    energies: Array | None
    supercell: Atoms | None
    values: dict[str, Any]
    warnings: list[str]


def read_trajectory(path: Path, settings: Mapping[str, Any], structure: Atoms | None = None) -> ImportedTrajectory:
    """Return the frames of a file that the settings ask for.

    :param path: an extxyz file, an ASE trajectory, or a vasprun.xml.
    :param settings: complete, see :data:`aiida_crucible.references.settings.TRAJECTORY`.
    :param structure: the crystal: the supercell, in whose order the atoms are then put, or a unit cell.
    :raises ValueError: one line that names the file and the frame, if a frame cannot be read, has no forces where they
        are wanted, numbers that are not finite, other atoms than the first, or does not fit the structure.
    """
    kept: _Kept | None = None
    for frame in iterate_frames(path, settings):
        if kept is None:
            kept = _Kept(path, frame, settings)
            kept.require_finite(frame)
            with explained(path):
                require_whole_atoms(frame.atoms)
            kept.place(frame, structure)
        kept.add(frame)
    if kept is None:
        raise ValueError(f"{path.name} has no frame from {settings['start']} on: begin earlier (--start)")
    return kept.finish()


@dataclass(frozen=True)
class Stray:
    """An atom that is nowhere near its place in the first frame: it wanders, or its frame has another order.

    :param frame: its number in the file.
    :param atom: its place there, from 0.
    :param distance: Å.
    """

    frame: int
    atom: int
    distance: float


@dataclass
class _Kept:
    """What is kept of the frames so far, in buffers that grow without a second copy."""

    path: Path
    first: Frame
    settings: Mapping[str, Any]
    order: NDArray[np.int64] | None = None
    supercell: Atoms | None = None
    numbers: list[int] = field(default_factory=list)
    cells: array[float] = field(default_factory=lambda: array("d"))
    positions: array[float] = field(default_factory=lambda: array("d"))
    forces: array[float] = field(default_factory=lambda: array("d"))
    energies: list[float | None] = field(default_factory=list)
    worst: tuple[float, int] = (0.0, 0)
    strays: list[Stray] = field(default_factory=list)

    def place(self, frame: Frame, structure: Atoms | None) -> None:
        """Find the sites of the atoms, and the order that the structure has them in."""
        if structure is None:
            return
        mapping = place_atoms(frame.atoms, structure, f"frame {frame.number} of {self.path.name}")
        order = order_of(mapping)
        # A supercell in the order of the frames has the order 0, 1, 2 …: nothing to do.
        if order is not None and not np.array_equal(order, np.arange(len(order))):
            self.order = order
        self.supercell = mapping.unstrained if order is None else structure

    def add(self, frame: Frame) -> None:
        """Check a frame and keep it."""
        self._check(frame)
        self._look_for_strays(frame)
        order = slice(None) if self.order is None else self.order
        self.numbers.append(frame.number)
        self.energies.append(frame.energy)
        self.cells.frombytes(np.ascontiguousarray(frame.atoms.cell.array, dtype=float).tobytes())
        self.positions.frombytes(np.ascontiguousarray(frame.atoms.positions[order]).tobytes())
        if frame.forces is not None:
            self.forces.frombytes(np.ascontiguousarray(frame.forces[order]).tobytes())
            drift = float(np.linalg.norm(frame.forces.sum(axis=0)))
            self.worst = max(self.worst, (drift, frame.number))

    def require_finite(self, frame: Frame) -> None:
        """Refuse numbers that are none.

        :raises ValueError: one line that names the frame.
        """
        atoms = frame.atoms
        for name, values in (("positions", atoms.positions), ("cell", atoms.cell.array), ("forces", frame.forces)):
            if values is not None and not np.isfinite(values).all():
                raise ValueError(f"frame {frame.number} of {self.path.name} has {name} that are no finite numbers")

    def _check(self, frame: Frame) -> None:
        where = f"frame {frame.number} of {self.path.name}"
        first, atoms = self.first, frame.atoms
        if not np.array_equal(atoms.numbers, first.atoms.numbers):
            raise ValueError(f"{where} {_other_atoms(atoms, first)}")
        if frame.forces is None and first.forces is not None:
            raise ValueError(f"{where} has no forces, but frame {first.number} has: give frames that all have them")
        if frame.forces is None:
            self._require_no_forces(where)
        if frame.forces is not None and first.forces is None:
            raise ValueError(f"{where} has forces, but frame {first.number} has none: give frames that all have them")
        self.require_finite(frame)
        if frame.forces is not None and frame.forces.shape != atoms.positions.shape:
            raise ValueError(f"{where} has forces of shape {frame.forces.shape} on {len(atoms)} atoms")
        if not np.array_equal(atoms.pbc, first.atoms.pbc) or atoms.cell.rank != first.atoms.cell.rank:
            raise ValueError(
                f"{where} is periodic along other axes, or has fewer cell vectors, than frame {first.number}: give "
                "frames of one system"
            )
        if atoms.cell.rank == len(atoms.pbc):
            change = np.linalg.solve(first.atoms.cell.array, atoms.cell.array) - np.eye(3)
            if np.abs(change).max() > LARGEST_DEFORMATION:
                raise ValueError(
                    f"{where} has a cell that is deformed by {np.abs(change).max():.2g} against that of frame "
                    f"{first.number}: it is turned, of other units or of another system"
                )

    def _require_no_forces(self, where: str) -> None:
        name, others = self.settings["forces_key"], vectors_of(self.first.atoms)
        is_usual = name == TRAJECTORY["forces_key"].default
        meant = f"; it has {', '.join(others)}" if others else ""
        missing = f"has no forces{'' if is_usual and not others else f' {name!r}'}{meant}"
        if self.settings["forces"] == "required":
            raise ValueError(
                f"{where} {missing}: if an extxyz file calls them otherwise, give forces_key; set "
                "forces to 'optional' where none are needed (--forces-key, --without-forces)"
            )
        if not is_usual:
            raise ValueError(f"{where} {missing}: leave forces_key out, or give another")

    def _look_for_strays(self, frame: Frame) -> None:
        """Keep the atom that is farthest from its place in the first frame, where it is farther than neighbours are."""
        first, atoms = self.first.atoms, frame.atoms
        if not (atoms.pbc.all() and atoms.cell.rank == first.cell.rank == 3):
            return
        moved = atoms.get_scaled_positions(wrap=False) - first.get_scaled_positions(wrap=False)
        # What most atoms share is a drift of the whole crystal.
        moved -= np.rint(moved)
        moved -= np.median(moved, axis=0)
        distances = np.linalg.norm((moved - np.rint(moved)) @ first.cell.array, axis=1)
        farthest = int(np.argmax(distances))
        if distances[farthest] > self.limit:
            self.strays.append(Stray(frame.number, farthest, float(distances[farthest])))

    @cached_property
    def limit(self) -> float:
        """Mean distance of neighbours in the first frame, Å."""
        return float(np.mean(nearest_distances(self.first.atoms)))

    def finish(self) -> ImportedTrajectory:
        """Return all that was kept."""
        n_frames, n_atoms = len(self.numbers), len(self.first.atoms)
        shape = (n_frames, n_atoms, 3)
        forces = np.frombuffer(self.forces).reshape(shape) if len(self.forces) else None
        warnings = self._warnings(n_atoms)
        energies = gathered_energies(self.energies, self.settings, self.first.atoms, self.path.name, warnings)
        atoms = self.first.atoms if self.order is None else self.first.atoms[self.order]
        values: dict[str, Any] = {"n_frames": n_frames, "n_atoms": n_atoms, "permuted": self.order is not None}
        if forces is not None:
            norm = float(np.sqrt(np.mean(np.square(forces))))
            values |= {"largest_force_drift": self.worst[0], "drift_frame": self.worst[1], "force_norm": norm}
        return ImportedTrajectory(
            symbols=atoms.get_chemical_symbols(),
            pbc=tuple(atoms.pbc.tolist()),
            frames=np.array(self.numbers, dtype=np.int64),
            cells=np.frombuffer(self.cells).reshape(n_frames, 3, 3),
            positions=np.frombuffer(self.positions).reshape(shape),
            forces=forces,
            energies=energies,
            supercell=self.supercell,
            values=values,
            warnings=warnings,
        )

    def _warnings(self, n_atoms: int) -> list[str]:
        said = []
        if self.worst[0] > LARGEST_DRIFT * n_atoms:
            said.append(
                f"the forces of frame {self.worst[1]} of {self.path.name} add up to {self.worst[0]:.3g} eV/Å "
                f"({self.worst[0] / n_atoms:.2g} an atom), where nothing pulls from outside"
            )
        if self.strays:
            first = self.strays[0]
            said.append(
                f"in {len(self.strays)} of {len(self.numbers)} frames an atom is farther from its place in frame "
                f"{self.first.number} than neighbours are from each other, e.g. {self.first.atoms.symbols[first.atom]} "
                f"(atom {first.atom}) of frame {first.frame} by {first.distance:.2f} Å: it wanders, or the atoms come "
                "in another order there"
            )
        if len(self.numbers) == 1:
            said.append(f"{self.path.name} gives a single frame: no average over it has an error")
        if others := left_out(self.first.atoms, self.settings):
            said.append(f"the frames of {self.path.name} carry {others} as well, which are left out")
        if self.order is not None:
            said.append(f"the atoms of {self.path.name} were put into the order of the structure")
        return said


def _other_atoms(atoms: Atoms, first: Frame) -> str:
    """Return what differs between the atoms of a frame and those of the first."""
    formulas = atoms.get_chemical_formula(), first.atoms.get_chemical_formula()
    if formulas[0] != formulas[1]:
        return f"is of {formulas[0]}, frame {first.number} of {formulas[1]}: one trajectory has one composition"
    atom = int(np.flatnonzero(atoms.numbers != first.atoms.numbers)[0])
    return (
        f"has its atoms in another order: atom {atom} is {atoms.symbols[atom]}, in frame {first.number} "
        f"{first.atoms.symbols[atom]}"
    )

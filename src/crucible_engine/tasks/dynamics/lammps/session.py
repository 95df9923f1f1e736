"""A LAMMPS that holds one crystal: begun with a structure or a restart file, moved on by steps, asked for snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from crucible_engine.tasks.dynamics.lammps.commands import conserved_quantity, fixes
from crucible_engine.tasks.dynamics.lammps.data_file import Species, data_file
from crucible_engine.tasks.dynamics.lammps.frame import Frame
from crucible_engine.tasks.dynamics.lammps.program import LammpsError, Program
from crucible_engine.tasks.dynamics.lammps.setup import Setup
from crucible_engine.tasks.dynamics.lammps.snapshot import DUMP, FORCES, Snapshot, question, read_snapshot
from crucible_engine.tasks.dynamics.lammps.units import FEMTOSECONDS
from crucible_engine.tasks.dynamics.settings import Settings
from crucible_engine.wire.schema import Condition, EngineError

DATA_FILE, INPUT_FILE, LOG_FILE = "structure.data", "in.lammps", "log.lammps"
RESTART_FILE, SNAPSHOT_FILE = "restart.bin", "snapshot.dump"

NO_PAIR_STYLE = ("Unrecognized pair style", "Unknown pair style")
"""How LAMMPS says that a pair style was not built into it."""


class Session:
    """LAMMPS with one crystal.

    :param start: the crystal at step 0, with its momenta.
    :param restart: bytes of LAMMPS's restart file, to go on from it; ``None`` begins with ``start``.
    :param target: temperatures at step 0 and at the last step, K.
    :param rests: whether the centre of mass rests.
    :param seed: of a stochastic thermostat's random numbers.
    :raises EngineError: ``PACKAGE_MISSING``, if LAMMPS has not the pair style, or not the ranks of the job.
    """

    def __init__(
        self,
        setup: Setup,
        settings: Settings,
        start: Atoms,
        *,
        restart: NDArray[np.uint8] | None,
        target: tuple[float, float],
        rests: bool,
        seed: int,
    ) -> None:
        self._setup, self._settings = setup, settings
        self._n_atoms, self._frame = len(start), Frame.of(start.cell.array)
        species = Species.of(start)
        self._question = question(conserved_quantity(settings))
        folder = setup.folder
        if restart is None:
            (folder / DATA_FILE).write_text(data_file(start, self._frame, species), encoding="ascii")
        else:
            (folder / RESTART_FILE).write_bytes(restart.tobytes())
        commands = [
            f"log {LOG_FILE}",
            "units metal",
            "atom_style atomic",
            "atom_modify map yes",
            "boundary p p p",
            "box tilt large",
            f"read_data {DATA_FILE}" if restart is None else f"read_restart {RESTART_FILE}",
            *setup.commands(species.symbols),
            f"timestep {settings.time_step / FEMTOSECONDS!r}",
            FORCES,
            *fixes(settings, target, rests, seed),
            "compute virial all pressure NULL virial",
            "thermo 0",
            "thermo_style custom step temp pe econserve c_virial[1]",
        ]
        (folder / INPUT_FILE).write_text("\n".join(commands) + "\n", encoding="ascii")
        self._program = Program(setup.command, folder, setup.environment)
        try:
            self.version = " ".join(self._started(commands))
            self._program.ask([f"run 0 start 0 stop {settings.steps} post no", "log none"], "done")
        except LammpsError as error:
            self._program.close()
            raise named(error, setup) from error
        except BaseException:
            self._program.close()
            raise

    def advance(self, steps: int) -> None:
        """Do so many steps.

        :raises LammpsError: if LAMMPS ended.
        """
        self._program.ask([f"run {steps} start 0 stop {self._settings.steps} pre no post no"], "done")

    def snapshot(self) -> Snapshot:
        """Return the step at which LAMMPS is.

        :raises LammpsError: if LAMMPS ended.
        """
        words = self._program.ask([f"write_dump all custom {SNAPSHOT_FILE} {DUMP}"], self._question)
        return read_snapshot(words, self._path(SNAPSHOT_FILE), self._n_atoms, self._frame)

    def restart(self) -> NDArray[np.uint8]:
        """Return the bytes of a restart file of the step at which LAMMPS is.

        :raises LammpsError: if LAMMPS ended.
        """
        # Without its initialisation, which would sort the atoms under the neighbour list of the next steps.
        self._program.ask([f"write_restart {RESTART_FILE} noinit"], "done")
        return np.frombuffer(self._path(RESTART_FILE).read_bytes(), dtype=np.uint8)

    def close(self) -> None:
        """Let LAMMPS end."""
        self._program.close()

    def _path(self, name: str) -> Path:
        return self._setup.folder / name

    def _started(self, commands: Sequence[str]) -> list[str]:
        """Give the first commands and return the words of LAMMPS's version, once it has the ranks that it should."""
        words = self._program.ask(commands, "$(extract_setting(world_size)) $(version)")
        ranks = int(float(words[0]))
        if ranks != self._setup.ranks:
            raise EngineError(
                Condition.PACKAGE_MISSING,
                f"LAMMPS runs on {ranks} rank, not on the {self._setup.ranks} of the job: {self._setup.command[0]} and "
                f"{self._setup.command[-1]} have not the same MPI library; give the computer the mpirun of that LAMMPS",
            )
        return words[1:]


def named(error: LammpsError, setup: Setup) -> EngineError:
    """Return what an end of LAMMPS means for a job, where it says nothing of the crystal."""
    program, style = setup.command[-1], setup.pair_style
    if any(words in error.said for words in NO_PAIR_STYLE):
        return EngineError(
            Condition.PACKAGE_MISSING,
            f"LAMMPS ({program}) has no pair style {style.name!r}: {style.how_to_have}",
        )
    if error.was_ended:
        return EngineError(Condition.INTERRUPTED, "LAMMPS was ended from outside: the job continues where it was")
    return EngineError(Condition.UNEXPECTED_ERROR, f"LAMMPS says: {error}"[:400])

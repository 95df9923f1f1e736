"""With what LAMMPS computes: its program and ranks, the family's pair style, the file of weights."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crucible_engine.families.base import Model
from crucible_engine.families.facts import Family, PairStyle
from crucible_engine.families.packed import is_packed
from crucible_engine.families.registry import find_family
from crucible_engine.job.threads import THREAD_VARIABLES
from crucible_engine.tasks.dynamics.lammps.program import find_program, launched
from crucible_engine.tasks.dynamics.lammps.support import require_pair_style
from crucible_engine.wire.schema import LAMMPS_FOLDER, Condition, EngineError, Job


@dataclass(frozen=True)
class Setup:
    """With what LAMMPS computes.

    :param model: the same potential as ASE has it, with which LAMMPS's numbers are compared where it starts.
    :param command: the launcher, if any, and the program.
    :param ranks: how many processes LAMMPS is to have.
    :param folder: where it works.
    :param environment: its environment variables.
    """

    model: Model
    family: Family
    pair_style: PairStyle
    command: tuple[str, ...]
    ranks: int
    folder: Path
    environment: Mapping[str, str]

    @classmethod
    def of(cls, job: Job, model: Model, folder: Path, threads: int) -> Setup:
        """Return the setup of a job, with the weights where LAMMPS works.

        :param folder: of the job.
        :param threads: of each rank.
        :raises EngineError: ``CAPABILITY_MISSING``, if the family has no pair style, or none for such weights;
            ``PACKAGE_MISSING``, if there is no LAMMPS.
        """
        family = find_family(job.reference.family)
        pair_style = require_pair_style(family)
        weights = folder / str(job.reference.checkpoint)
        if job.reference.checkpoint is None or is_packed(weights):
            raise EngineError(
                Condition.CAPABILITY_MISSING,
                f"LAMMPS reads one file of weights of {family.name}, and the model is a committee or known by its name "
                "alone: give a checkpoint file, or choose backend 'ase'",
            )
        own = folder / LAMMPS_FOLDER
        own.mkdir(parents=True, exist_ok=True)
        link = own / pair_style.weights
        link.unlink(missing_ok=True)
        link.symlink_to(weights.resolve())
        count = str(threads)
        variables = dict.fromkeys((*THREAD_VARIABLES, *pair_style.thread_variables), count)
        command = launched(job.launcher, find_program(os.environ, family.name))
        return cls(model, family, pair_style, tuple(command), job.ranks, own, {**os.environ, **variables})

    def commands(self, symbols: tuple[str, ...]) -> list[str]:
        """Return the commands that choose the potential.

        :param symbols: of LAMMPS's atom types, from the first.
        """
        words = {"weights": self.pair_style.weights, "types": " ".join(symbols)}
        return [command.format(**words) for command in self.pair_style.commands]


def describe(setup: Setup, version: str) -> dict[str, Any]:
    """Return what a summary says of the LAMMPS that ran."""
    return {"version": version, "ranks": setup.ranks, "pair_style": setup.pair_style.name}

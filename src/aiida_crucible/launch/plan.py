"""What a run will do: its jobs, their atoms and evaluations, and what runs at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from aiida.engine import ProcessBuilder
from ase import Atoms

from aiida_crucible.analysis.crystal.finite import repeats_for
from aiida_crucible.analysis.dynamics.sweep_settings import INDEPENDENT, plan_jobs, sweep_supercell, validate_sweep
from aiida_crucible.analysis.phonons.phonon_analysis import prepare
from aiida_crucible.analysis.phonons.settings import validate_settings
from aiida_crucible.analysis.phonons.vibrations import validate_vibrations
from aiida_crucible.calculations.dynamics.size import size_of
from aiida_crucible.compat.aiida_engine import given_inputs
from aiida_crucible.nodes.structures import to_atoms
from aiida_crucible.workflows.common.concurrency import choose_share
from aiida_crucible.workflows.vibrations.workchain import VibrationsWorkChain
from crucible_engine.job.threads import usable_cores
from crucible_engine.tasks.parameters import validate_parameters

RELAXATION_STEPS = 60
"""Evaluations that a relaxation of a crystal takes as a rule."""

VERIFICATION_EVALUATIONS = 400
"""Evaluations of small cells that a verification takes."""


@dataclass(frozen=True)
class Part:
    """Equal jobs of a run.

    :param name: for a person.
    :param n_jobs: how many.
    :param at_once: how many of them run side by side.
    :param evaluations: of one job.
    :param atoms: what is evaluated.
    :param stress: whether its stress is wanted.
    :param cores: of one job; ``None`` for all that there are.
    :param bytes: that all jobs leave on the computer and in AiiDA.
    """

    name: str
    n_jobs: int
    at_once: int
    evaluations: int
    atoms: Atoms
    stress: bool = True
    cores: int | None = None
    bytes: int = 0

    @property
    def rounds(self) -> int:
        """How many jobs follow on each other."""
        return ceil(self.n_jobs / self.at_once)


def plan_of(builder: ProcessBuilder, is_verified: bool = False) -> list[Part]:
    """Return the parts of a run, in their order; phonons or vibrations and hot runs go side by side.

    :param builder: of ``crucible.reliability`` or ``crucible.vibrations``, complete.
    :param is_verified: whether a verification of the model is there already, and will be found.
    """
    inputs = given_inputs(builder)
    if builder.process_class is VibrationsWorkChain:
        return _finite(inputs, is_verified)
    main = to_atoms(inputs["structure"])
    phases = [main, *(to_atoms(phase) for phase in inputs.get("competing", {}).values())]
    largest = max(phases, key=len)
    phonons = prepare(main, validate_settings(inputs["phonon"]["parameters"].get_dict()))[1].structures()
    parts = [
        _verification(main, is_verified),
        Part("relaxation", 1, 1, RELAXATION_STEPS * len(phases), largest),
        Part("phonons", 1, 1, len(phonons), phonons[0], stress=False),
    ]
    sweep = inputs.get("sweep")
    return [*parts, _sweep(inputs["code"], sweep, main)] if sweep else parts


def _verification(atoms: Atoms, is_verified: bool) -> Part:
    return Part("verification", 1, 1, 0 if is_verified else VERIFICATION_EVALUATIONS, atoms[:2])


def _finite(inputs: Mapping[str, Any], is_verified: bool) -> list[Part]:
    """Return the parts of a molecule's or a slab's run."""
    atoms = to_atoms(inputs["structure"])
    length = validate_vibrations(inputs["parameters"].get_dict())["shortest_length"]
    cell = atoms * repeats_for(atoms, length)
    is_periodic = bool(cell.pbc.all())
    parts = [
        _verification(atoms, is_verified),
        Part("relaxation", 1, 1, RELAXATION_STEPS, atoms, stress=False),
        Part("vibrations", 1, 1, 6 * len(cell) + 1, cell, stress=False),
    ]
    if "base" not in inputs:
        return parts
    dynamics = validate_parameters("dynamics", inputs["base"]["dynamics"]["parameters"].get_dict())
    n_runs = len(dynamics["temperatures"])
    size = size_of(dynamics, [len(cell)] * n_runs)
    n_bytes = size.frames + size.series + size.stored
    name = f"dynamics at {n_runs} temperature{'s' * (n_runs != 1)}"
    return [*parts, Part(name, 1, 1, dynamics["steps"] * n_runs, cell, stress=is_periodic, bytes=n_bytes)]


def _sweep(code: Any, sweep: Mapping[str, Any], unit_cell: Atoms) -> Part:
    settings = validate_sweep(sweep["parameters"].get_dict())
    job = sweep["base"]["dynamics"]
    dynamics = validate_parameters("dynamics", job["parameters"].get_dict())
    supercell = sweep_supercell(settings, unit_cell)
    jobs = plan_jobs(settings)
    n_runs = len(jobs[0].temperatures)
    share = choose_share(code, job, len(jobs) if settings["mode"] == INDEPENDENT else 1, settings["max_concurrent"])
    size = size_of({**dynamics, "temperatures": list(jobs[0].temperatures)}, [len(supercell)] * n_runs)
    cores = share.cores if share.cores is not None or share.at_once == 1 else max(1, usable_cores() // share.at_once)
    return Part(
        f"dynamics at {len(settings['temperatures'])} temperatures",
        len(jobs),
        share.at_once,
        dynamics["steps"] * n_runs,
        supercell,
        cores=cores,
        bytes=len(jobs) * (size.frames + size.series + size.stored),
    )

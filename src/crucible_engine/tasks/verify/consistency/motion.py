"""Whether a calculator says in a run what a fresh one says: tasks keep one object and hand it the moving structure.

The other checks hand a model copies and let it forget between them. Here the engine's own integrator and optimizer run,
as ``dynamics`` and ``relax`` call them, and a second object, made for each frame, judges the first.
"""

from __future__ import annotations

import itertools
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from crucible_engine.families.base import Evaluation, Model
from crucible_engine.families.calculators import FreshCalculators, WrappingCalculator, stress_given
from crucible_engine.tasks.dynamics.replica import Replica
from crucible_engine.tasks.dynamics.settings import Settings
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.tasks.relax.relaxation import Settings as RelaxSettings
from crucible_engine.tasks.relax.relaxation import relax_structure
from crucible_engine.tasks.verify.check import Check, not_applicable
from crucible_engine.tasks.verify.consistency.repeatability import as_calculator_model
from crucible_engine.tasks.verify.evaluator import Evaluator, is_finite
from crucible_engine.tasks.verify.precision import Deviation, Precision
from crucible_engine.tasks.verify.probes import Probe, stretched

DYNAMICS, CONSERVATION, RELAXATION = "dynamics", "energy conservation", "relaxation"
TEMPERATURE = 600.0
"""K; the random crystals let go of more than that."""
TIME_STEP = 0.25
"""fs u^(-1/2), times the square root of the lightest mass: a fortieth of the period of a stiff bond."""
LEAST_STEPS, MOST_STEPS = 24, 1500
"""Of dynamics: as many as move atoms by some tenths of an Å; and as many as show a change after a thousand calls."""
PATIENCE = 2.0
"""Seconds that a calculator of the user's own, which may change with the number of calls, is run for."""
FRAMES = 4
"""How many frames of a run the fresh objects judge."""
RELAX_STEPS = 12
STRETCH = 1.05
"""Of the cell that relaxes: neighbours come in."""
COMPRESSION = 0.9
"""Of the cell afterwards, in place as a barostat does it: half an Å at a cutoff, more than the skin of most lists."""
CONSERVED = 0.1
"""How much of the largest kinetic energy the total energy may change by."""


@dataclass(frozen=True)
class Frame:
    """A moment of a run.

    :param answer: what the calculator that runs said of it.
    """

    step: int
    atoms: Atoms
    answer: Evaluation


class Calculators:
    """Gives calculators as tasks get them, and fresh ones that judge them.

    :param model: the loaded potential, before anything was asked of it.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._fresh = FreshCalculators(model)

    def of_task(self) -> Calculator:
        """Return what a task would run with."""
        return self._fresh.new()

    def judge(self, evaluator: Evaluator, atoms: Atoms) -> Evaluation:
        """Return what a fresh object says of a structure."""
        if not self._fresh.remember:
            return evaluator.alone(atoms)
        evaluator.count += 1
        return as_calculator_model(self._model, self._fresh.new()).evaluate_batch([atoms.copy()])[0]


def check_dynamics(
    evaluator: Evaluator, calculators: Calculators, probe: Probe, precision: Precision, *, seed: int, patience: float
) -> list[Check]:
    """Check a short NVE: each sampled frame against a fresh object, and the total energy against itself.

    :param probe: the crystal that moves.
    :param patience: seconds that a calculator which may remember is run for.
    """
    steps = _steps(evaluator, probe, patience if evaluator.model.remembers else 0.0)
    with tempfile.TemporaryDirectory() as folder:
        settings = _dynamics_settings(probe, steps, seed)
        frames, totals, kinetic, lost_to = _run(probe.atoms, calculators.of_task(), settings, Path(folder))
    evaluator.count += steps
    if lost_to:
        message = f"a run at constant energy ends at step {len(totals)}: {lost_to}"
        lost = Check(DYNAMICS, message).failed("not-finite")
        return [lost, not_applicable(CONSERVATION, f"see {DYNAMICS}")]
    compared = _compare(DYNAMICS, frames, evaluator, calculators, precision)
    change = float(np.abs(np.array(totals) - totals[0]).max())
    allowed = CONSERVED * max(kinetic) + precision.tolerance([frames[0].answer]).energy * len(probe.atoms)
    message = (
        f"in {steps} steps the total energy changes by {change:.1e} eV, the kinetic one is up to {max(kinetic):.2g}"
    )
    conserved = Check(CONSERVATION, message, change, allowed, "eV")
    conserved = conserved.failed_if(not change <= allowed, "energy-not-conserved")
    return [compared, conserved.unjudged(f"see {DYNAMICS}") if compared.fault and conserved.fault else conserved]


def check_relaxation(
    evaluator: Evaluator, calculators: Calculators, probe: Probe, precision: Precision, cell: bool
) -> Check:
    """Check some steps of a relaxation: each sampled geometry against a fresh object.

    :param cell: whether the cell relaxes as well.
    """
    settings = RelaxSettings(
        **validate_parameters(
            "relax",
            {"max_steps": RELAX_STEPS, "cell": "full" if cell else "fixed", "keep_symmetry": False, "fmax": 1e-6},
        )
    )
    atoms = stretched(probe.atoms, STRETCH)
    atoms.calc = WrappingCalculator(calculators.of_task())
    frames: list[Frame] = []
    relax_structure(atoms, settings, lambda step: frames.append(_frame(step.number, atoms)))
    if frames:
        atoms.set_cell(atoms.cell.array * COMPRESSION, scale_atoms=True)
        frames.append(_frame(frames[-1].step + 1, atoms))
    evaluator.count += len(frames)
    if not frames:
        message = "the model gave NaN or infinity in a relaxation"
        return Check(RELAXATION, message).failed("not-finite")
    return _compare(RELAXATION, frames, evaluator, calculators, precision)


def _run(
    atoms: Atoms, calculator: Calculator, settings: Settings, folder: Path
) -> tuple[list[Frame], list[float], list[float], str]:
    """Run at constant energy.

    :return: the sampled frames, after each step the total and the kinetic energy (eV), and why the run ended early;
        empty where it did not.
    """
    replica, steps = Replica(0, atoms, calculator, sites=atoms, settings=settings, folder=folder), settings.steps
    kept = {0, 1, *(round(part * steps / FRAMES) for part in range(1, FRAMES + 1))}
    frames: list[Frame] = []
    totals: list[float] = []
    kinetic: list[float] = []
    try:
        replica.begin()
        while not replica.lost:
            totals.append(float(replica.atoms.get_total_energy()))
            kinetic.append(float(replica.atoms.get_kinetic_energy()))
            if replica.step in kept:
                frames.append(_frame(replica.step, replica.atoms))
            if replica.step == steps:
                break
            replica.advance()
    finally:
        replica.close()
    return frames, totals, kinetic, replica.finding.reason if replica.lost and replica.finding is not None else ""


def _steps(evaluator: Evaluator, probe: Probe, patience: float) -> int:
    """Return how many steps can be afforded."""
    began = time.perf_counter()
    evaluator.alone(probe.atoms)
    seconds = max(time.perf_counter() - began, 1e-6)
    return int(np.clip(patience / seconds, LEAST_STEPS, MOST_STEPS))


def _dynamics_settings(probe: Probe, steps: int, seed: int) -> Settings:
    given: dict[str, Any] = {
        "ensemble": "nve",
        "temperatures": [TEMPERATURE],
        "steps": steps,
        "time_step": TIME_STEP * math.sqrt(float(probe.atoms.get_masses().min())),
        "seed": seed,
        "series_interval": steps,
        "frame_interval": 0,
        "watch_interval": steps,
        "on_failure": "continue",
    }
    return Settings(**validate_parameters("dynamics", given))


def _frame(step: int, atoms: Atoms) -> Frame:
    geometry = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    forces = np.array(atoms.get_forces(apply_constraint=False), dtype=float)
    return Frame(step, geometry, Evaluation(float(atoms.get_potential_energy()), forces, np.array(stress_given(atoms))))


def _compare(
    name: str, frames: Sequence[Frame], evaluator: Evaluator, calculators: Calculators, precision: Precision
) -> Check:
    """Judge frames by fresh objects, and find answers that stay although the geometry has changed."""
    judged = [(frame, calculators.judge(evaluator, frame.atoms)) for frame in _sample(frames)]
    deviation = Deviation.worst(Deviation.of(frame.answer, fresh) for frame, fresh in judged)
    allowed = precision.tolerance([fresh for _, fresh in judged])
    message = (
        f"in {frames[-1].step} steps a calculator in use differs from a fresh one by {deviation.energy:.1e} eV/atom, "
        f"{deviation.forces:.1e} eV/Å and {deviation.stress:.1e} eV/Å³"
    )
    check = Check(name, message, deviation.forces, allowed.forces, "eV/Å")
    if not all(is_finite(frame.answer) for frame in frames):
        return check.failed("not-finite")
    if deviation.is_within(allowed):
        return check
    stale = any(
        before.answer.energy == after.answer.energy and after.answer.forces.any()
        for before, after in itertools.pairwise(frames)
    )
    return check.failed("stale-results" if stale else "depends-on-history")


def _sample(frames: Sequence[Frame]) -> list[Frame]:
    indices = sorted({round(index) for index in np.linspace(0, len(frames) - 1, FRAMES)})
    return [frames[index] for index in indices]

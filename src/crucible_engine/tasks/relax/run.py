"""The task ``relax``: bring structures to the nearest minimum of the energy (or of the enthalpy under pressure).

Summary: ``n_structures``, ``n_resumed`` (taken over complete from an earlier, unfinished run), ``n_converged``, and
``structures``: for each label

- ``outcome``: ``converged``, ``not-converged``, ``non-finite`` (the model gave NaN or infinity) or ``runaway`` (the
  volume or a lattice vector changed by more than a factor of 3); ``steps``: optimizer steps;
- ``energy`` (eV, without the pressure's share; ``null`` if not finite), ``fmax`` (what was compared with the parameter
  of that name), ``max_force`` (eV/Å), ``max_stress`` (GPa, what still drives the cell; ``null`` for a fixed one);
- ``volume_before``, ``volume`` (Å³; ``null`` without a periodic cell);
- ``space_group_before``, ``space_group_after``: ``{"number", "symbol"}`` at the parameter ``symmetry_tolerance``,
  ``null`` where there is none; ``symmetry_kept``; ``symmetrization_shift`` (Å, by how much an atom was moved at most to
  make the initial structure obey its space group to the last digit);
- of a model with an ensemble, where the structure has converged, ``members``: for each member, which was relaxed from
  there, ``outcome``, ``steps``, ``energy`` (eV) and ``cell`` (Å, rows; both ``null`` where not finite).

``arrays.npz``: the relaxed structures in the layout of :mod:`crucible_engine.wire.structures` (so that
``read_structures`` reads them), and ``energies`` float64 [n_structures] (eV), ``forces`` float64 [n_atoms_total, 3]
(eV/Å) and ``stresses`` float64 [n_structures, 6] (eV/Å³, Voigt, NaN where not periodic in three directions), all three
as the model gives them, not symmetrised and without the pressure.

``trajectories.npz``, where ``trajectory_interval`` is not 0: the same layout with one structure a frame, labelled with
the label of the structure that relaxes, and ``steps`` int64 [n_frames]. Step 0, every n-th step and the last one are
frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator

from crucible_engine.families.base import Model, is_periodic
from crucible_engine.families.calculators import FreshCalculators
from crucible_engine.job.context import Context, Progress, TaskResult
from crucible_engine.tasks.relax.journal import Contents, Recorder, read_answers, read_contents, write_results
from crucible_engine.tasks.relax.members import read_members, relax_members
from crucible_engine.tasks.relax.relaxation import (
    OUTCOMES,
    End,
    Settings,
    Step,
    find_space_group,
    largest_shift,
    relax_structure,
    symmetrize,
)
from crucible_engine.tasks.relax.replay import ReplayingCalculator, usable
from crucible_engine.wire.records import relaxation_check
from crucible_engine.wire.schema import STRUCTURES_FILE, Condition, EngineError, Job
from crucible_engine.wire.structures import read_structures


def run(job: Job, model: Model, context: Context) -> TaskResult:
    """Relax the structures of a job one after the other, from where an earlier run of it was stopped.

    :return: the worst outcome of all structures and the summary; the condition is ``NOT_CONVERGED`` if one has used up
        its steps.
    :raises EngineError: ``INVALID_JOB``, if two structures have the same label; ``INVALID_STRUCTURE``, if one has no
        space group that could be kept.
    """
    settings = Settings(**job.parameters)
    structures = list(read_structures(context.folder / STRUCTURES_FILE))
    _require_distinct([label for label, _ in structures])
    journal = context.open_journal(relaxation_check([len(atoms) for _, atoms in structures]))
    try:
        contents = read_contents(context.journal_path)
        _require_as_many_steps(contents, settings.max_steps)
        done = contents.done(settings.max_steps)
        progress = context.progress(job, len(structures), len(done))
        calculators = FreshCalculators(model)
        for n_done, index in enumerate(sorted(set(range(len(structures))) - done), start=len(done)):
            label, atoms = structures[index]
            batches = contents.batches.get(index, [])
            n_recorded = usable(batches[-1].stop if batches else 0, calculators.remember)
            recorder = Recorder(context, journal, index, n_recorded, calculators.remember)
            answers = read_answers(context.journal_path, batches, n_recorded)
            try:
                calculator = ReplayingCalculator(calculators, answers, recorder.add)
                _relax(label, atoms, calculator, settings, _Watch(label, recorder, progress, context, n_done))
            finally:
                recorder.stop()
        if settings.members and model.n_members:
            relax_members(structures, model, settings, context, journal=journal, progress=progress)
        context.finish()
    finally:
        with context.interruption.deferred():
            journal.close()
    write_results(context, structures, settings.trajectory_interval)
    summaries = read_contents(context.journal_path).summaries
    for index, ends in read_members(context.journal_path).items():
        summaries[index]["members"] = [ends[member] for member in sorted(ends)]
    by_label = {label: summaries[index] for index, (label, _) in enumerate(structures)}
    return _result(by_label, len(done), settings)


def _require_distinct(labels: list[str]) -> None:
    repeated = next((label for label in labels if labels.count(label) > 1), None)
    if repeated is not None:
        raise EngineError(Condition.INVALID_JOB, f"two structures are labelled {repeated!r}: rename one of them")


def _require_as_many_steps(contents: Contents, max_steps: int) -> None:
    taken = max((summary["steps"] for summary in contents.summaries.values()), default=0)
    if taken > max_steps:
        raise EngineError(
            Condition.INVALID_JOB,
            f"the journal has a structure at step {taken}, but max_steps is {max_steps}: raise it, or start anew",
        )


@dataclass(frozen=True)
class _Watch:
    """Follows the relaxation of one structure, before which so many were done."""

    label: str
    recorder: Recorder
    progress: Progress
    context: Context
    n_done: int

    def step(self, step: Step) -> None:
        self.recorder.step(step.number)
        self.progress.report(self.n_done, structure=self.label, step=step.number, fmax=step.fmax)
        self.context.between_steps()

    def end(self, end: End, atoms: Atoms, summary: dict[str, Any]) -> None:
        self.recorder.end(end.step.number, atoms, summary)
        self.progress.report(self.n_done + 1, structure=self.label, step=end.step.number, outcome=end.outcome)


def _relax(label: str, given: Atoms, calculator: Calculator, settings: Settings, watch: _Watch) -> None:
    """Relax one structure from its beginning; what is recorded of it costs no evaluation."""
    atoms = given.copy()
    crystal = is_periodic(atoms)
    tolerance = settings.symmetry_tolerance
    if settings.keep_symmetry and crystal:
        atoms.set_constraint(symmetrize(label, atoms, tolerance))
    start = atoms.copy()
    atoms.calc = calculator
    end = relax_structure(atoms, settings, watch.step)
    summary = {
        **_describe_end(end, atoms),
        "volume_before": float(start.get_volume()) if crystal else None,
        "volume": float(atoms.get_volume()) if crystal else None,
        "space_group_before": find_space_group(given, tolerance) if crystal else None,
        "space_group_after": find_space_group(atoms, tolerance) if crystal else None,
        "symmetry_kept": settings.keep_symmetry and crystal,
        "symmetrization_shift": largest_shift(given, start),
    }
    watch.end(end, atoms, summary)


def _describe_end(end: End, atoms: Atoms) -> dict[str, Any]:
    numbers = {
        "energy": float(atoms.get_potential_energy()),
        "fmax": end.step.fmax,
        "max_force": end.max_force,
        "max_stress": end.max_stress,
    }
    # JSON has no NaN.
    finite = {name: value if value is not None and math.isfinite(value) else None for name, value in numbers.items()}
    return {"outcome": end.outcome, "steps": end.step.number, **finite}


def _result(summaries: dict[str, dict[str, Any]], resumed: int, settings: Settings) -> TaskResult:
    outcomes = [summary["outcome"] for summary in summaries.values()]
    summary = {
        "n_structures": len(summaries),
        "n_resumed": resumed,
        "n_converged": outcomes.count("converged"),
        "structures": summaries,
    }
    worst = max(outcomes, key=OUTCOMES.index)
    open_ends = [label for label, summary in summaries.items() if summary["outcome"] == "not-converged"]
    if not open_ends:
        return TaskResult(worst, summary)
    message = (
        f"{len(open_ends)} of {len(summaries)} structures (first: {open_ends[0]!r}) did not reach fmax "
        f"{settings.fmax:g} eV/Å in {settings.max_steps} steps: raise max_steps and restart the job: it goes on there"
    )
    return TaskResult(worst, summary, Condition.NOT_CONVERGED, message)

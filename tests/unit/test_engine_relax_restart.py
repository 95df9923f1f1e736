"""A relaxation that was killed, stopped or given too few steps ends with the bits of one that was not."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ase.build import bulk
from engine_jobs import run_here
from interrupted_jobs import assert_same_arrays
from relaxations import VARIANTS, distorted, everything, kill_when_written, write_relaxation
from seeds import chosen_seed

from crucible_engine.job.context import Context
from crucible_engine.tasks.relax import journal as relax_journal
from crucible_engine.tasks.relax.replay import Answer, ReplayingCalculator
from crucible_engine.wire.journal import read_journal
from crucible_engine.wire.results import Interrupted
from crucible_engine.wire.schema import JOB_FILE, JOURNAL_FILE


def run_whole(folder, variant, **changes):
    """Run a variant that nobody disturbs; return its summary, its arrays and how many evaluations it took."""
    calls = []
    with pytest.MonkeyPatch.context() as patch:
        evaluate = ReplayingCalculator._evaluate
        patch.setattr(ReplayingCalculator, "_evaluate", lambda self: calls.append(1) or evaluate(self))
        results = run_here(write_relaxation(folder, variant, **changes))
    assert results["condition"] == "finished", results["message"]
    assert results["outcome"] == "converged"
    return results["summary"], everything(folder), len(calls)


class DeadError(BaseException):
    """The process is no more: nothing that would be written after it is."""


def die_at(folder, evaluation):
    """Run a job in this process until an evaluation of it, counted from 1 in this run, and no further."""
    left = [evaluation]
    evaluate = ReplayingCalculator._evaluate

    def mortal(self):
        left[0] -= 1
        if left[0] < 0:
            raise DeadError
        return evaluate(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ReplayingCalculator, "_evaluate", mortal)
        patch.setattr(relax_journal.Recorder, "stop", lambda self: None)
        return run_here(folder)


def check_deaths(tmp_path, variant, deaths):
    """Let a relaxation die at random evaluations, one after the other."""
    whole, reference, count = run_whole(tmp_path / "whole", variant)
    folder = write_relaxation(tmp_path / "mortal", variant)
    for share in np.random.default_rng(chosen_seed()).uniform(0, 2 / deaths, deaths):
        died = die_at(folder, int(share * count))
        assert died["condition"] == "finished" or "DeadError" in died["message"]
    results = run_here(folder)
    assert results["condition"] == "finished", results["message"]
    assert_same_arrays(everything(folder), reference)
    assert results["summary"]["structures"] == whole["structures"]


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_relaxation_that_died_three_times_ends_with_the_bits_of_one_that_did_not(tmp_path, variant):
    check_deaths(tmp_path, variant, 3)


@pytest.mark.long
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_relaxation_that_died_twenty_times_ends_with_the_bits_of_one_that_did_not(tmp_path, variant):
    check_deaths(tmp_path, variant, 20)


def check_kills(tmp_path, variant, groups):
    """SIGKILL the process of a relaxation at random sizes of its journal, one after the other, and let it finish.

    :param groups: so many times, with so many kills each.
    """
    whole_folder = write_relaxation(tmp_path / "whole", variant, max_steps=100_000)
    sizes = []
    append = relax_journal.JournalWriter.append

    def measured(self, record):
        append(self, record)
        sizes.append((whole_folder / JOURNAL_FILE).stat().st_size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relax_journal.JournalWriter, "append", measured)
        whole = run_here(whole_folder)
    reference = everything(whole_folder)
    rng = np.random.default_rng(chosen_seed())
    killed = 0
    for number, kills in enumerate(groups):
        folder = write_relaxation(tmp_path / str(number), variant, max_steps=100_000)
        for size in sorted(rng.integers(sizes[0], sizes[-1], kills).tolist()):
            killed += kill_when_written(folder, size)
        results = run_here(folder)
        assert results["condition"] == "finished", results["message"]
        assert_same_arrays(everything(folder), reference)
        assert results["summary"]["structures"] == whole["summary"]["structures"]
    print(f"{killed} of {sum(groups)} kills came before the end")


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["FIRE", "BFGS"])
def test_a_killed_relaxation_ends_with_the_bits_of_one_that_was_not(tmp_path, variant):
    check_kills(tmp_path, variant, [3])


@pytest.mark.long
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_relaxation_killed_at_twenty_moments_ends_with_the_bits_of_one_that_was_not(tmp_path, variant):
    check_kills(tmp_path, variant, [1] * 20)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "step", "kept"),
    # Of a calculator that remembers something only whole tens are of use.
    [("BFGS", 12, 13), ("BFGS, a calculator that remembers", 20, 14)],
)
def test_a_relaxation_that_was_stopped_in_order_evaluates_nothing_twice(tmp_path, variant, step, kept, monkeypatch):
    _, reference, count = run_whole(tmp_path / "whole", variant)
    folder = write_relaxation(tmp_path / "stopped", variant)
    steps = [step]

    def between_steps(self):
        steps[0] -= 1
        if steps[0] < 0:
            raise Interrupted("SIGTERM")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Context, "between_steps", between_steps)
        assert run_here(folder)["condition"] == "interrupted"
    _, records = read_journal(folder / JOURNAL_FILE)
    done = sum(len(record.arrays["steps"]) for record in records if record.kind == "evaluated")
    assert done == kept
    calls = []
    evaluate = ReplayingCalculator._evaluate
    monkeypatch.setattr(ReplayingCalculator, "_evaluate", lambda self: calls.append(1) or evaluate(self))
    assert run_here(folder)["condition"] == "finished"
    assert len(calls) == count - done
    assert_same_arrays(everything(folder), reference)


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_more_steps_go_on_where_too_few_ended(tmp_path, variant):
    whole, reference, _ = run_whole(tmp_path / "whole", variant)
    folder = write_relaxation(tmp_path / "short", variant, max_steps=2)
    short = run_here(folder)
    assert short["condition"] == "not-converged"
    change_parameters(folder, max_steps=4)
    assert run_here(folder)["condition"] == "not-converged"
    change_parameters(folder, max_steps=500)
    results = run_here(folder)
    assert results["condition"] == "finished"
    assert_same_arrays(everything(folder), reference)
    assert results["summary"]["structures"] == whole["structures"], "origin, steps and all"


def change_parameters(folder, **changes):
    job = json.loads((folder / JOB_FILE).read_text())
    job["parameters"].update(changes)
    (folder / JOB_FILE).write_text(json.dumps(job))


def test_a_journal_of_more_steps_than_are_allowed_is_refused(tmp_path):
    folder = write_relaxation(tmp_path, "BFGS", max_steps=6)
    run_here(folder)
    change_parameters(folder, max_steps=5)
    results = run_here(folder)
    assert results["condition"] == "invalid-job"
    assert "at step 6, but max_steps is 5" in results["message"]


def test_a_record_of_another_geometry_is_not_believed():
    atoms = bulk("Cu", cubic=True)
    cell = atoms.cell.array
    forces = np.zeros((4, 3))
    near = Answer(atoms.positions + 1e-12, cell, -1.0, forces, None)
    far = Answer(atoms.positions + 1e-6, cell, -2.0, forces, None)
    assert near.is_of(atoms)
    assert not far.is_of(atoms)
    assert not Answer(atoms.positions, cell * (1 + 1e-6), -1.0, forces, None).is_of(atoms)


def test_what_is_recorded_again_replaces_what_was():
    batches = []
    for start, steps in ((0, (0, 1, 2)), (3, (3, 4)), (2, (2, 3)), (4, (4,))):
        relax_journal._append(batches, relax_journal.Batch(start, start, steps))
    assert [(batch.start, batch.steps) for batch in batches] == [(0, (0, 1)), (2, (2, 3)), (4, (4,))]


def test_the_journal_stays_small(tmp_path):
    results = run_here(write_relaxation(tmp_path, "BFGS", max_steps=8, trajectory_interval=0))
    n_atoms = sum(len(atoms) for atoms in distorted().values())
    steps = sum(summary["steps"] + 1 for summary in results["summary"]["structures"].values())
    numbers = steps * (6 * n_atoms + 9 + 6 + 2) * 8
    assert (tmp_path / JOURNAL_FILE).stat().st_size < numbers + 6000

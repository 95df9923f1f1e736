"""Sweeps of real dynamics through what has no transition: however short or long, none is found, and none is excluded.

EMT's fcc metals in 32 atoms fluctuate strongly: c/a by several percent, over picoseconds. A run of 200 to 1000 steps
sees a part of one swing, which looks like a few quiet values somewhere else.
"""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from engine_jobs import calculator_from
from engine_sweeps import run_sweep
from quick_emt import QuickEMT
from seeds import chosen_seed

from aiida_crucible.analysis.dynamics.temperature_sweep import answer_questions, find_transitions

SEED = chosen_seed(0)
TEMPERATURES = [100.0, 200.0, 300.0, 400.0, 500.0, 600.0]
QUICK = calculator_from("quick_emt:QuickEMT")


def sweep(folder, symbol, steps, seed, time_step=1.0):
    """Run a sweep as the protocol ``fast`` does, but for its length, and return its records and what was found."""
    records = run_sweep(
        folder, bulk(symbol, cubic=True), TEMPERATURES, model=QUICK, steps=steps, seed=SEED + seed, time_step=time_step
    )
    report = find_transitions(records)
    print(f"{symbol}, {steps} steps of {time_step:g} fs, seed {SEED + seed}: {report.verdict}")
    return records, report


@pytest.mark.parametrize("symbol", ["Cu", "Al"])
def test_the_quick_potential_is_that_of_ase(symbol):
    quick: Atoms = bulk(symbol, cubic=True) * (2, 2, 2)
    quick.rattle(0.1, seed=SEED)
    strained = np.eye(3) + 0.01 * np.random.default_rng(SEED).standard_normal((3, 3))
    quick.set_cell(quick.cell.array @ strained, scale_atoms=True)
    slow = quick.copy()
    quick.calc, slow.calc = QuickEMT(), EMT()
    assert quick.get_potential_energy() == pytest.approx(slow.get_potential_energy(), abs=1e-10)
    assert quick.get_forces() == pytest.approx(slow.get_forces(), abs=1e-10)
    assert quick.get_stress() == pytest.approx(slow.get_stress(), abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("symbol", "steps", "seed"), [("Cu", 200, 1), ("Cu", 200, 2), ("Cu", 400, 1), ("Al", 200, 1), ("Al", 400, 1)]
)
def test_a_short_sweep_of_a_metal_finds_no_transition_and_excludes_none(tmp_path, symbol, steps, seed):
    records, report = sweep(tmp_path, symbol, steps, seed)
    assert (report.status.value, report.transitions) == ("cannot-tell", [])
    assert "steps at each temperature would be" in report.verdict
    answers = answer_questions(records, report, "Fm-3m (225)", 5.0)
    said = {name: answers[name]["answer"] for name in ("stability", "symmetry", "averages")}
    assert said == {"stability": "cannot-tell", "symmetry": "cannot-tell", "averages": "no"}


@pytest.mark.long
@pytest.mark.parametrize("symbol", ["Cu", "Al"])
@pytest.mark.parametrize(
    ("steps", "time_step", "seeds"), [(200, 1.0, 20), (400, 1.0, 15), (1000, 1.0, 10), (4000, 4.0, 5)]
)
def test_a_hundred_sweeps_of_metals_find_no_transition(tmp_path, symbol, steps, time_step, seeds):
    found = {seed: sweep(tmp_path / f"{seed}", symbol, steps, seed, time_step)[1] for seed in range(seeds)}
    # At 600 K so small a cell of EMT's copper shears to hcp now and then: what one temperature does alone is none.
    wrong = {seed: report.verdict for seed, report in found.items() if report.transitions}
    assert not wrong

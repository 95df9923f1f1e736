"""Molecules and slabs: what they are, how they are repeated, which bonds they keep, and what that says of a model."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule, mx2

from aiida_crucible.analysis.crystal.finite import bonds, kind_of, repeats_for, without_images
from aiida_crucible.analysis.dynamics.bonds import longest_change, observe_bonds
from aiida_crucible.analysis.phonons.vibrations import rigid_motions
from aiida_crucible.analysis.verdict.finite import (
    Findings,
    HotRun,
    check_finite_reference,
    conclude_finite,
    judge_finite,
)
from aiida_crucible.analysis.verdict.headline import Subject

PASSED = {"outcome": "passed", "summary": {"faults": []}}
MINIMUM = {"outcome": "minimum", "reason": "every mode is real", "frequencies": [50.0, 110.0, 113.0]}


def boxed(atoms, length=15.0):
    """Return something in a periodic box, cut in two by its faces."""
    atoms = atoms.copy()
    atoms.set_cell([length] * 3)
    atoms.pbc = True
    atoms.wrap()
    return atoms


@pytest.fixture
def slab():
    slab = mx2("MoS2", size=(1, 1, 1), vacuum=8.0)
    slab.pbc = True
    return slab


def test_what_it_is(slab):
    assert kind_of(bulk("Cu")) == "crystal"
    assert kind_of(molecule("H2O")) == kind_of(boxed(molecule("H2O"))) == "molecule"
    assert kind_of(slab) == kind_of(fcc111("Cu", (1, 1, 3), vacuum=8.0)) == "slab"
    assert kind_of(Atoms("Cu", cell=[12, 12, 2.5], pbc=True)) == "wire"


def test_a_cell_without_a_volume_is_refused_in_one_line():
    flat = Atoms("Cu", cell=[[1, 0, 0], [2, 0, 0], [0, 0, 3]], pbc=True)
    with pytest.raises(ValueError, match="lattice vectors of Cu are parallel or zero: give it a cell") as caught:
        kind_of(flat)
    assert "\n" not in str(caught.value)


def test_a_molecule_in_a_box_is_put_together_and_turns(slab):
    water = molecule("H2O")
    assert np.ptp(boxed(water).positions, axis=0).max() > 10
    whole = without_images(boxed(water))
    np.testing.assert_allclose(whole.get_all_distances(), water.get_all_distances(), atol=1e-12)
    assert not whole.pbc.any()
    assert len(rigid_motions(boxed(water))) == 6
    assert len(rigid_motions(slab)) == 3
    assert without_images(slab).pbc.tolist() == [True, True, False]


def test_repetitions(slab):
    assert repeats_for(molecule("H2O"), 20.0) == repeats_for(boxed(molecule("H2O")), 40.0) == (1, 1, 1)
    assert repeats_for(slab, 6.0) == (3, 3, 1)  # between opposite faces: 2.75 Å
    assert repeats_for(slab, 0.0) == (1, 1, 1)
    assert repeats_for(bulk("Cu", cubic=True), 7.0) == (2, 2, 2)


def test_bonds_of_a_slab_reach_into_its_images(slab):
    pairs, _, lengths = bonds(slab * (2, 2, 1))
    short = lengths < 2.5
    assert (len(pairs), int(short.sum())) == (36, 6 * 4)  # each Mo has six S, and six Mo at 3.18 Å
    np.testing.assert_allclose(lengths[short], np.hypot(3.18 / np.sqrt(3), 3.19 / 2), rtol=1e-6)


def test_a_broken_bond_is_named_and_a_vibrating_one_is_none(slab):
    water = molecule("H2O")
    rng = np.random.default_rng(3)
    frames = water.positions + rng.normal(scale=0.05, size=(100, 3, 3))
    kept = observe_bonds(water, frames)
    assert (kept.number, kept.broken) == (2, 0)
    frames[40:, 2] += (0, 5, 0)
    lost = observe_bonds(water, frames)
    assert (lost.broken, lost.worst.startswith("O1-H3: ")) == (1, True)
    drifted = water.positions + np.linspace(0, 50, 100)[:, None, None]
    assert observe_bonds(water, drifted).broken == 0
    cell = slab * (2, 2, 1)
    still = observe_bonds(cell, np.array([cell.positions] * 20))
    assert (still.number, still.broken) == (36, 0)
    # Of too few frames, or of what has no bonds, nothing is told.
    assert observe_bonds(cell, np.array([cell.positions] * 4)).number == 0
    assert observe_bonds(Atoms("Ar2", positions=[[0, 0, 0], [0, 0, 3.8]]), np.zeros((50, 2, 3))).number == 0


def test_the_bond_that_relaxing_changes_most():
    before, after = molecule("H2O"), molecule("H2O")
    after.set_distance(0, 1, 1.2, fix=0)
    change, bond = longest_change(before, after)
    assert change == pytest.approx(1.2 / before.get_distance(0, 1) - 1)
    assert bond == "O1-H2 is 1.200 Å"
    assert longest_change(Atoms("Ar"), Atoms("Ar")) == (0.0, "nothing is bonded")


def concluded(
    reference=None, runs=(), vibrations=MINIMUM, change=(0.01, "O1-H2"), relaxation=None, verification=PASSED
):
    found = Findings("molecule", verification, relaxation or {"outcome": "converged"}, change, vibrations, runs, 5.0)
    return conclude_finite(Subject("model", "H2O (molecule)"), judge_finite(found, reference or {}), runs)


KEPT = HotRun(300.0, 10_000, 10.0, "", 2, 0, "O1-H2")


@pytest.mark.parametrize(
    ("given", "trusted", "said"),
    [
        ({"reference": {"frequencies": [48.0, 109.0, 112.0]}, "runs": [KEPT]}, "yes", "up to 300 K, in runs of 10 ps"),
        ({"reference": {"frequencies": [48.0, 109.0, 112.0]}}, "cannot-tell", "hot it was not run"),
        ({"runs": [KEPT]}, "cannot-tell", "nobody says which frequencies"),
        ({"reference": {"frequencies": [44.0, 109.0, 112.0]}, "runs": [KEPT]}, "no", "50.00 against 44.00 THz"),
        ({"change": (0.2, "O1-H2 is 1.16 Å")}, "no", "wrong about the relaxed geometry"),
        ({"relaxation": {"outcome": "runaway"}, "vibrations": {"outcome": "not-relaxed"}}, "no", "cannot be relaxed"),
        ({"vibrations": {**MINIMUM, "outcome": "saddle"}}, "cannot-tell", "nobody says whether that is right"),
        ({"vibrations": {**MINIMUM, "outcome": "saddle"}, "reference": {"stable": True}}, "no", "dynamical stability"),
        ({"vibrations": {**MINIMUM, "outcome": "cannot-tell"}}, "cannot-tell", "dynamical stability cannot be told"),
        ({"verification": {"outcome": "failed", "summary": {"faults": ["energy"]}}}, "no", "its verification"),
        ({"runs": [HotRun(300.0, 100, 0.1, "", 2, 2, "O1-H2: 3 Å, was 1 Å")]}, "no", "at 300 K 2 bonds break"),
        ({"runs": [HotRun(300.0, 9000, 9.0, "non-finite", 0, 0, "")]}, "no", "the run at 300 K ended: non-finite"),
        (
            {"reference": {"frequencies": [48.0, 109.0, 112.0]}, "runs": [HotRun(300.0, 200, 0.2, "", 2, 0, "")]},
            "cannot-tell",
            "for 0.2 ps only",
        ),
        (
            {"runs": [HotRun(300.0, 90, 5.0, "atoms-lost", 2, 0, "", "a time step of 60 fs is long")]},
            "cannot-tell",
            "(and 1 more)",
        ),
        (
            {"reference": {"frequencies": [48.0, 109.0, 112.0]}, "runs": [HotRun(300.0, 9000, 9.0, "", 0, 0, "")]},
            "cannot-tell",
            "no bond was seen at 300 K",
        ),
    ],
)  # fmt: skip
def test_verdicts(given, trusted, said):
    verdict = concluded(**given)
    assert (verdict.trusted, said in verdict.headline) == (trusted, True), verdict.headline
    assert verdict.steps or trusted != "cannot-tell"


def test_what_breaks_above_where_it_exists_is_a_remark_and_limits_the_answer():
    runs = [KEPT, HotRun(3000.0, 10_000, 10.0, "", 2, 2, "O1-H2: 4 Å, was 1 Å")]
    verdict = concluded(reference={"frequencies": [48.0, 109.0, 112.0]}, runs=runs)
    assert (verdict.trusted, verdict.up_to) == ("yes", 300.0)
    only_lost = concluded(reference={"frequencies": [48.0, 109.0, 112.0]}, runs=runs[1:])
    assert only_lost.trusted == "cannot-tell"


def test_a_run_that_is_too_short_says_how_long_it_must_be():
    verdict = concluded(reference={"frequencies": [48.0, 109.0, 112.0]}, runs=[HotRun(300.0, 400, 0.2, "", 2, 0, "")])
    assert [step.options for step in verdict.steps] == ["--steps 10000"]


@pytest.mark.parametrize(
    ("reference", "n_modes", "said"),
    [
        ({"lattice": {}}, 3, "lattice cannot be asked of a molecule"),
        ({"frequencies": [1.0]}, 3, "this molecule has 3"),
        ({"frequencies": [1.0, 2.0, -3.0]}, 3, "above zero"),
        ({"frequencies": [1.0]}, None, "leave them out"),
        ({"frequencies": "high"}, 3, "frequencies"),
    ],
)
def test_references_that_do_not_fit_are_refused(reference, n_modes, said):
    with pytest.raises(ValueError, match=said) as caught:
        check_finite_reference(reference, n_modes)
    assert "\n" not in str(caught.value)

"""The crystal by which a run is judged: that with which its chain began, and not the snapshot in which it begins."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.neighborlist import neighbor_list
from dynamics_runs import die_after, everything
from engine_jobs import read_arrays, run_here, write_job
from scipy.stats import chi2

from crucible_engine.tasks.dynamics.starts import moved_near
from crucible_engine.wire.schema import REFERENCE_FILE
from crucible_engine.wire.structures import write_structures

LATTICE = 3.61
CRYSTAL = bulk("Cu", cubic=True, a=LATTICE) * 2
PARAMETERS = {
    "ensemble": "nve",
    "temperatures": [600.0],
    "steps": 12,
    "time_step": 4.0,
    "watch_interval": 4,
    "frame_interval": 4,
    "series_interval": 4,
}


def lindemann(frames):
    """Return Lindemann's ratio of each frame relative to the perfect crystal, from the pairs of nearest neighbours."""
    nearest = LATTICE / np.sqrt(2)
    first, second = neighbor_list("ij", CRYSTAL, 1.1 * nearest)
    ratios = []
    for positions in frames:
        moved = positions - CRYSTAL.positions
        halves = ((moved[first] - moved[second]) ** 2).sum(axis=1) / 2
        ratios.append(np.sqrt(np.median(halves) * 3 / chi2.median(3)) / nearest)
    return np.array(ratios)


def snapshot(seed=0, width=0.1):
    atoms = CRYSTAL.copy()
    atoms.positions += np.random.default_rng(seed).normal(0, width, atoms.positions.shape)
    return atoms


def write_run(folder, atoms, reference=CRYSTAL, **changes):
    write_job(folder, "dynamics", {"copper": atoms}, **{**PARAMETERS, **changes})
    if reference is not None:
        write_structures(folder / REFERENCE_FILE, [reference], ["reference"])
    return folder


def highest(results, label="replica_0"):
    return results["summary"]["replicas"][label]["evidence"]["highest_lindemann"]["Cu"]


def test_a_run_that_begins_with_a_snapshot_is_judged_by_the_crystal(tmp_path):
    results = run_here(write_run(tmp_path / "with", snapshot()))
    frames = read_arrays(tmp_path / "with")["frame_positions_0"]
    assert highest(results) == pytest.approx(lindemann(frames[1:]).max(), rel=1e-3)
    # By itself a snapshot is no reference: its own displacements count once more.
    without = run_here(write_run(tmp_path / "without", snapshot(), None))
    assert highest(without) != pytest.approx(highest(results), rel=0.05)


def test_later_runs_of_a_sequence_are_judged_by_the_crystal_with_which_it_began(tmp_path):
    changes = {"temperatures": [600.0, 600.0], "start": "sequential"}
    results = run_here(write_run(tmp_path, CRYSTAL, None, **changes))
    for number in (0, 1):
        frames = read_arrays(tmp_path)[f"frame_positions_{number}"]
        assert highest(results, f"replica_{number}") == pytest.approx(lindemann(frames[1:]).max(), rel=1e-3)


def test_order_that_is_lost_little_by_little_is_seen(tmp_path):
    found = []
    for width in (0.1, 0.2, 0.3, 0.4):
        changes = {"steps": 2, "time_step": 0.02, "watch_interval": 1, "temperature_limit": 1e6}
        found.append(highest(run_here(write_run(tmp_path / str(width), snapshot(width=width), **changes))))
    # Independent displacements of this width along each axis, over the distance of neighbours.
    np.testing.assert_allclose(found, np.array([0.1, 0.2, 0.3, 0.4]) * np.sqrt(6) / LATTICE, rtol=0.1)


def test_a_structure_that_was_wrapped_into_its_cell_is_judged_all_the_same(tmp_path):
    start = snapshot()
    wrapped = start.copy()
    wrapped.wrap()
    assert np.abs(wrapped.positions - start.positions).max() > 5
    direct, indirect = (
        highest(run_here(write_run(tmp_path / name, atoms))) for name, atoms in (("a", start), ("b", wrapped))
    )
    assert indirect == pytest.approx(direct, rel=1e-3)
    np.testing.assert_allclose(moved_near(CRYSTAL.copy(), start).positions, CRYSTAL.positions, atol=1e-12)


def test_a_resumed_run_is_judged_by_the_same_crystal(tmp_path):
    changes = {"checkpoint_interval": 5}
    run_here(write_run(tmp_path / "whole", snapshot(), **changes))
    folder = write_run(tmp_path / "killed", snapshot(), **changes)
    die_after(folder, 7)
    results = run_here(folder)
    assert results["summary"]["resumed_from_step"] == 5
    assert everything(folder) == everything(tmp_path / "whole")


def test_a_checkpoint_of_another_reference_is_refused(tmp_path):
    folder = write_run(tmp_path, snapshot(), checkpoint_interval=5)
    die_after(folder, 7)
    write_structures(folder / REFERENCE_FILE, [snapshot(1)], ["reference"])
    results = run_here(folder)
    assert results["condition"] == "invalid-job"
    assert "with another reference" in results["message"]


@pytest.mark.parametrize("other", [CRYSTAL * (1, 1, 2), bulk("Au", cubic=True) * 2])
def test_a_reference_of_other_atoms_is_refused(tmp_path, other):
    results = run_here(write_run(tmp_path, snapshot(), other))
    assert results["condition"] == "invalid-job"
    assert "has not the atoms of structure 'copper'" in results["message"]


@pytest.mark.long
def test_hot_copper_has_the_ratio_of_a_plain_run(tmp_path):
    # ASE alone, from the perfect crystal; the engine, in the second run of a chain.
    parameters = {"temperatures": [800.0, 800.0], "steps": 600, "start": "sequential", "ensemble": "nvt-langevin"}
    results = run_here(write_run(tmp_path, CRYSTAL, None, **{**parameters, "frame_interval": 10, "watch_interval": 10}))
    assert results["outcome"] == "stable"
    atoms = CRYSTAL.copy()
    atoms.calc = EMT()
    rng = np.random.default_rng(0)
    MaxwellBoltzmannDistribution(atoms, temperature_K=800, rng=rng)
    frames = []
    with Langevin(atoms, 4 * units.fs, temperature_K=800, friction=0.01 / units.fs, rng=rng) as dynamics:
        dynamics.attach(lambda: frames.append(atoms.positions.copy()), interval=10)
        dynamics.run(1200)
    plain = lindemann(frames[60:])
    chained = lindemann(read_arrays(tmp_path)["frame_positions_1"][1:])
    assert chained.mean() == pytest.approx(plain.mean(), rel=0.15)
    assert highest(results, "replica_1") == pytest.approx(chained.max(), rel=1e-3)

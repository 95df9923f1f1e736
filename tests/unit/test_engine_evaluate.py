"""The task ``evaluate``: the model's own numbers, in order, whatever interrupts it, in a memory that does not grow."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from engine_jobs import calculator_from, rattled_copper, read_arrays, run_engine, run_here, write_job

from crucible_engine.wire.journal import JournalWriter, read_journal
from crucible_engine.wire.schema import JOURNAL_FILE


def mixed() -> dict:
    slab = bulk("Al", cubic=True)
    slab.pbc = (True, True, False)
    return {**rattled_copper(3), "slab": slab, "water": molecule("H2O"), "gold": bulk("Au")}


@pytest.mark.parametrize("batch_size", [None, 1, 4])
def test_it_gives_the_models_own_numbers_in_order(tmp_path, batch_size):
    structures = mixed()
    results = run_here(write_job(tmp_path, "evaluate", structures, batch_size=batch_size))
    assert results["summary"]["n_structures"] == len(structures)
    assert results["summary"]["n_atoms"] == sum(map(len, structures.values()))
    arrays = read_arrays(tmp_path)
    assert arrays["n_atoms"].tolist() == [len(atoms) for atoms in structures.values()]
    forces = np.split(arrays["forces"], np.cumsum(arrays["n_atoms"])[:-1])
    for index, (label, atoms) in enumerate(structures.items()):
        atoms.calc = EMT()
        assert arrays["energies"][index] == pytest.approx(atoms.get_potential_energy(), abs=1e-12), label
        np.testing.assert_allclose(forces[index], atoms.get_forces(), atol=1e-12, err_msg=label)
        if atoms.pbc.all():
            np.testing.assert_allclose(arrays["stresses"][index], atoms.get_stress(), atol=1e-14, err_msg=label)
        else:
            assert np.isnan(arrays["stresses"][index]).all(), label
    assert results["outcome"] == "finite"


def test_without_stress_there_are_no_stresses(tmp_path):
    run_here(write_job(tmp_path, "evaluate", rattled_copper(2), stress=False))
    assert sorted(read_arrays(tmp_path)) == ["energies", "forces", "n_atoms"]


def test_nan_is_a_result(tmp_path):
    structures = {f"gold-{index}": bulk("Au") for index in range(25)} | rattled_copper(3)
    model = calculator_from("faulty_calculators:faulty", fault="nan")
    results = run_here(write_job(tmp_path, "evaluate", structures, model=model))
    assert (results["condition"], results["outcome"]) == ("finished", "non-finite")
    assert results["summary"]["n_non_finite"] == 25
    assert results["summary"]["non_finite"] == [f"gold-{index}" for index in range(20)]
    arrays = read_arrays(tmp_path)
    assert np.isnan(arrays["forces"][:25]).all()
    assert np.isfinite(arrays["forces"][25:]).all()
    assert np.isfinite(arrays["energies"]).all()


@pytest.mark.parametrize("batch_size", [1, 3])
def test_it_goes_on_where_the_journal_ends(tmp_path, batch_size):
    structures = mixed() | rattled_copper(8, seed=1)
    whole = write_job(tmp_path / "whole", "evaluate", structures, batch_size=batch_size)
    run_here(whole)
    reference = read_arrays(whole)
    journal = journal_of(tmp_path / "killed", structures, batch_size)
    header, records = read_journal(journal)
    for kept, _ in enumerate(list(records)):
        folder = write_job(tmp_path / str(kept), "evaluate", structures, batch_size=batch_size)
        partial = JournalWriter(folder / JOURNAL_FILE, header)
        for _, record in zip(range(kept), read_journal(journal)[1], strict=False):
            partial.append(record)
        partial.close()
        if kept not in (1, 3):
            continue
        assert run_here(folder)["summary"]["n_resumed"] == kept * batch_size
        for name, array in reference.items():
            assert read_arrays(folder)[name].tobytes() == array.tobytes()


def test_a_journal_is_continued_by_the_same_work_only(tmp_path):
    structures = rattled_copper(6)
    journal = journal_of(tmp_path / "killed", structures, 1)
    for name, changes in {
        "structures": {"structures": rattled_copper(6, seed=5)},
        "parameters": {"stress": False},
    }.items():
        folder = write_job(tmp_path / name, "evaluate", **{"structures": structures, **changes})
        shutil.copy(journal, folder / JOURNAL_FILE)
        results = run_here(folder)
        assert results["condition"] == "invalid-job"
        assert f"with other {name}" in results["message"]
    folder = write_job(tmp_path / "batches", "evaluate", structures, batch_size=2)
    shutil.copy(journal, folder / JOURNAL_FILE)
    assert run_here(folder)["summary"]["n_resumed"] == len(structures), "another batch size is the same work"


def journal_of(folder, structures, batch_size):
    """Return the complete journal of a job that died before it could write anything else."""
    write_job(folder, "evaluate", structures, batch_size=batch_size)
    (folder / ".arrays.npz.part").mkdir()
    results = run_here(folder)
    assert results["condition"] == "unexpected-error"
    return folder / JOURNAL_FILE


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_frames(tmp_path):
    model = calculator_from("faulty_calculators:empty")
    frames = rattled_copper(100, repeat=2)
    peaks = []
    for count in (200, 10_000):
        structures = {f"{label}-{copy}": atoms for copy in range(count // 100) for label, atoms in frames.items()}
        results = run_engine(write_job(tmp_path / str(count), "evaluate", structures, model=model, batch_size=20))
        assert results["summary"]["n_structures"] == count
        peaks.append(results["peak_memory"])
    print(f"peak memory of 200 and of 10000 frames: {peaks} MiB")
    # The forces alone of 10000 frames are 7.3 MiB, their structures are more, and as Python's objects many times more.
    assert peaks[1] - peaks[0] < 3

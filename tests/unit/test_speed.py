"""The task ``speed``: sizes are timed, and what does not fit, kills or takes too long is a result."""

from __future__ import annotations

import time

import numpy as np
import pytest
from ase.build import bulk, molecule
from engine_jobs import calculator_from, read_results, run_engine, run_here, start_engine, write_job

from aiida_crucible.analysis.comparison.speed import speed_table
from aiida_crucible.report.figures.speed import speed_chart
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.journal import Record, read_journal
from crucible_engine.wire.records import SIZE_BEGUN, SIZE_TIMED, speed_check
from crucible_engine.wire.rules import ParameterError
from crucible_engine.wire.schema import JOURNAL_FILE, RESULTS_FILE

COPPER = {"copper": bulk("Cu", cubic=True)}
SETTINGS = {"steps": 3, "largest_batch": 2}


def sizes_of(results, label="copper"):
    assert results["outcome"] == "measured", results["message"]
    return results["summary"]["sizes"][label]


def test_a_crystal_is_repeated_and_timed(tmp_path):
    sizes = sizes_of(run_here(write_job(tmp_path, "speed", COPPER, repeats=[1, 3], steps=5, largest_batch=4)))
    assert [(size["repeat"], size["n_atoms"], size["outcome"]) for size in sizes] == [
        (1, 4, "measured"), (3, 108, "measured"),
    ]  # fmt: skip
    for size in sizes:
        assert 0 < size["fastest"] <= size["milliseconds_per_step"] <= size["slowest"]
        assert [batch["size"] for batch in size["batches"]] == [1, 2, 4]
        assert size["peak_memory"] > 0 and size["peak_device_memory"] is None and size["threads"] == 1
    assert sizes[1]["milliseconds_per_step"] > sizes[0]["milliseconds_per_step"]


def test_a_molecule_is_timed_alone(tmp_path):
    results = run_here(write_job(tmp_path, "speed", {"water": molecule("H2O")}, repeats=[1, 2], **SETTINGS))
    assert [size["n_atoms"] for size in sizes_of(results, "water")] == [3, 3]


@pytest.mark.parametrize("beyond", ["MemoryError", "CUDA"])
def test_what_does_not_fit_is_a_result(tmp_path, beyond):
    model = calculator_from("bounded_calculators:bounded", n_atoms=32, beyond=beyond)
    sizes = sizes_of(run_here(write_job(tmp_path, "speed", COPPER, model, repeats=[1, 2, 3, 4], **SETTINGS)))
    assert [size["outcome"] for size in sizes] == ["measured", "measured", "out-of-memory", "not-tried"]
    assert "108 atoms did not fit" in sizes[3]["reason"]


def test_what_kills_the_process_is_a_result(tmp_path):
    """Twice ended while one size was measured, the job goes on without it, and keeps what it had."""
    model = calculator_from("bounded_calculators:bounded", n_atoms=32, beyond="SIGKILL")
    folder = write_job(tmp_path, "speed", COPPER, model, repeats=[1, 2, 3, 4], **SETTINGS)
    for _ in range(2):
        process = start_engine(folder)
        process.communicate()
        assert process.returncode == -9 and not (folder / RESULTS_FILE).exists()
    sizes = sizes_of(run_engine(folder))
    assert [size["outcome"] for size in sizes] == ["measured", "measured", "killed", "not-tried"]
    assert sizes_of({**read_results(folder)})[:2] == sizes[:2]


def test_who_was_asked_to_stop_lacks_no_memory(tmp_path):
    """Allocations that are too short, one after the other, are no sign of what a size needs."""
    slow = calculator_from("bounded_calculators:bounded", seconds_per_atom=0.02)
    folder = write_job(tmp_path, "speed", COPPER, slow, repeats=[1], steps=40, largest_batch=0)
    for _ in range(3):
        process = start_engine(folder)
        while not any(record.kind == SIZE_BEGUN for record in begun_in(folder)) and process.poll() is None:
            time.sleep(0.05)
        time.sleep(0.2)
        process.terminate()
        process.communicate()
        assert read_results(folder)["condition"] == "interrupted"
    (size,) = sizes_of(run_engine(folder))
    assert size["outcome"] == "measured"


def begun_in(folder):
    path = folder / JOURNAL_FILE
    records = read_journal(path)[1] if path.exists() else ()
    begun = [record for record in records if record.kind != SIZE_TIMED]
    return begun[-1:]


def test_what_would_take_too_long_is_not_tried(tmp_path):
    model = calculator_from("bounded_calculators:bounded", seconds_per_atom=0.002)
    job = write_job(tmp_path, "speed", COPPER, model, repeats=[1, 4, 5], patience=0.5, **SETTINGS)
    sizes = sizes_of(run_here(job))
    assert [size["outcome"] for size in sizes] == ["measured", "not-tried", "not-tried"]
    assert sizes[0]["fastest"] >= 8  # 0.002 s for each of four atoms
    assert "more than patience, 0.5 s" in sizes[1]["reason"] and sizes[2]["reason"] == sizes[1]["reason"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"repeats": []}, "give whole numbers that grow"),
        ({"repeats": [2, 1]}, "give whole numbers that grow"),
        ({"repeats": [1, 1]}, "give whole numbers that grow"),
        ({"repeats": [0]}, "'repeats'"),
        ({"repeats": [1.5]}, "'repeats'"),
        ({"steps": 2}, "'steps'"),
        ({"displacement": 0}, "'displacement'"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(given, said):
    with pytest.raises(ParameterError, match=said):
        validate_parameters("speed", given)


@pytest.mark.parametrize(
    "change",
    [
        {"index": 1}, {"repeat": 7}, {"n_atoms": -1}, {"outcome": "fine"}, {"milliseconds_per_step": -1.0},
        {"first_call": "long"}, {"outcome": "killed"},
    ],
)  # fmt: skip
def test_records_of_another_job_are_refused(change):
    names = ("first_call", "milliseconds_per_step", "fastest", "slowest", "with_warm_up")
    sound = {"index": 0, "repeat": 2, "n_atoms": 32, "outcome": "measured", **dict.fromkeys(names, 1.0)}
    speed_check(1, [1, 2])(Record(SIZE_TIMED, sound))
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        speed_check(1, [1, 2])(Record(SIZE_TIMED, {**sound, **change}))


TIMES = ("milliseconds_per_step", "fastest", "slowest", "with_warm_up")


def entry(n_atoms, milliseconds, **more):
    place = {"repeat": 1, "n_atoms": n_atoms, "outcome": "measured", "first_call": 1.0, "threads": 1}
    memory = {"peak_memory": 100.0, "peak_device_memory": None}
    return {**place, **dict.fromkeys(TIMES, milliseconds), "batches": [], **memory, **more}


def table():
    batches = [{"size": 1, "milliseconds_per_structure": 10.0}, {"size": 2, "milliseconds_per_structure": 6.0}]
    lost = {"repeat": 3, "n_atoms": 1000, "outcome": "out-of-memory", "reason": "it does not fit"}
    sizes = [entry(10, 10.0, batches=batches), entry(100, 1000.0), lost]
    results = {"one": {"summary": {"sizes": {"structure": sizes}}, "timings": {"import": 2.0, "load": 1.0}}}
    return speed_table(results, {"one": "model one", "two": "model two"}, {"two": "it does not know Pb"})


def test_how_the_cost_grows():
    model = table()["models"]["one"]
    assert model["exponent"] == pytest.approx(2.0) and model["load"] == 3.0
    assert model["quickest"] == {"n_atoms": 10, "batch": 2, "microseconds_per_atom": pytest.approx(600.0)}
    assert table()["failed"] == {"two": "it does not know Pb"}


def test_the_figure_has_each_way_and_what_was_lost():
    chart = speed_chart(table(), "")
    drawn = {mark.name: mark for mark in chart.panels[0].marks}
    assert drawn["model one"].y.tolist() == [10.0, 1000.0]
    best = drawn["the same, best batch (a structure)"].y
    assert best[0] == 6.0 and np.isnan(best[1])
    assert drawn["out of memory"].x.tolist() == [1000.0]
    with pytest.raises(ValueError, match="no force call was timed"):
        speed_chart({"models": {}}, "")

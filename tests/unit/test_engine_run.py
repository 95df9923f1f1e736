"""The engine as a program: what it says of bad jobs, signals, full disks; how it is called."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
import zipapp

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import parameters
from ase.data import atomic_numbers
from engine_jobs import (
    EMT,
    SOURCE,
    calculator_from,
    engine_environment,
    rattled_copper,
    read_arrays,
    read_results,
    run_engine,
    run_here,
    start_engine,
    write_job,
)

from crucible_engine.job.preflight import check_elements, check_structure, survey_structures
from crucible_engine.wire.journal import read_journal
from crucible_engine.wire.results import RESERVED_BYTES
from crucible_engine.wire.schema import (
    JOB_FILE,
    JOURNAL_FILE,
    NO_SPACE_LEFT,
    PROTOCOL,
    RESULTS_FILE,
    STRUCTURES_FILE,
    EngineError,
    ModelReference,
)

EMT_ELEMENTS = frozenset(atomic_numbers[symbol] for symbol in parameters)
COPPER = {"copper": bulk("Cu", cubic=True)}


def test_a_finished_job_says_what_ran(tmp_path):
    results = run_engine(write_job(tmp_path, "evaluate", COPPER, threads=1))
    assert (results["condition"], results["outcome"], results["message"]) == ("finished", "finite", "")
    assert results["protocol"] == PROTOCOL
    assert results["model"]["family"] == "emt"
    assert len(results["model"]["sha256"]) == 64
    assert "Cu" in results["model"]["elements"]
    environment = results["environment"]
    assert environment["packages"]["ase"]
    assert environment["packages"]["numpy"] == np.__version__
    assert environment["device_kind"] == "cpu"
    assert environment["device"]
    assert environment["threads"] == {"count": 1, "rule": "job", "cores": environment["threads"]["cores"]}
    assert results["timings"]["total"] >= results["timings"]["compute"] >= 0
    assert 10 < results["peak_memory"] < 1000
    assert not (tmp_path / JOURNAL_FILE).exists()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def broken_structure(**changes) -> dict[str, Atoms]:
    atoms = bulk("Cu", cubic=True)
    if "positions" in changes:
        atoms.positions[:] = changes["positions"]
    if "cell" in changes:
        atoms.set_cell(changes["cell"])
    return {"good": bulk("Cu"), "bad": atoms}


ON_TOP = bulk("Cu", cubic=True).positions.copy()
ON_TOP[2] = ON_TOP[1] + (0.0, 0.0, 0.2)
THROUGH_THE_BOUNDARY = ON_TOP.copy()
THROUGH_THE_BOUNDARY[2] = ON_TOP[1] + (3.61, 0.05, 0.0)

BAD_STRUCTURES = {
    "element": (
        {"good": bulk("Cu"), "bad": bulk("Fe")}, "unsupported-element",
        "structure 'bad' contains Fe, which emt does not know: choose a model that was trained on it",
    ),
    "empty": ({"bad": Atoms(cell=[3, 3, 3], pbc=True)}, "invalid-structure", "structure 'bad' has no atoms"),
    "on top": (broken_structure(positions=ON_TOP), "invalid-structure", "Cu (atom 2) and Cu (atom 3) are 0.2 Å apart"),
    "on an image": (broken_structure(positions=THROUGH_THE_BOUNDARY), "invalid-structure", "(atom 3) are 0.05 Å apart"),
    "flat": (broken_structure(cell=[[3, 0, 0], [0, 3, 0], [3, 3, 0]]), "invalid-structure", "zero or parallel"),
    "tiny": (broken_structure(cell=[1, 1, 1]), "invalid-structure", "a cell of 1 Å³ for 4 atoms"),
    "nan": (broken_structure(positions=np.nan), "invalid-structure", "are not finite numbers"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_STRUCTURES)
def test_an_absurd_structure_is_refused_in_one_line(tmp_path, case):
    structures, condition, words = BAD_STRUCTURES[case]
    folder = write_job(tmp_path, "evaluate", structures)
    with pytest.raises(EngineError) as caught:
        check_elements(survey_structures(folder / STRUCTURES_FILE), EMT_ELEMENTS, "emt")
    assert caught.value.condition == condition
    assert words in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("case", ["element", "on top"])
def test_it_is_refused_before_the_weights_are_loaded(tmp_path, case):
    structures, condition, words = BAD_STRUCTURES[case]
    results = run_here(write_job(tmp_path, "evaluate", structures))
    assert results["condition"] == condition
    assert words in results["message"]
    assert results["stderr"] == f"crucible_engine: {results['message']}\n"
    assert "load" not in results["timings"]


def test_a_large_absurd_structure_is_refused_too():
    atoms = bulk("Cu", cubic=True) * 4
    atoms.positions[200] = atoms.positions[7] + (0.1, 0.0, 0.0)
    with pytest.raises(EngineError, match=r"Cu \(atom 8\) and Cu \(atom 201\) are 0.1 Å apart"):
        check_structure("large", atoms)


def test_strange_but_sound_structures_pass():
    check_structure("molecule", molecule("H2"))
    check_structure("slab", Atoms("Cu2", positions=[[0, 0, 0], [1.8, 1.8, 1.8]], cell=[3.6, 3.6, 0], pbc=[1, 1, 0]))
    check_structure("skewed", Atoms("Cu", cell=[[2.5, 0, 0], [10.1, 2.5, 0], [20.3, 7.1, 2.5]], pbc=True))


BAD_JOBS = {
    "no JSON": (lambda job: "{", "job.json is no JSON"),
    "no object": (lambda job: "[1]", "the job is no JSON object"),
    "unknown field": (lambda job: {**job, "thread": 2}, "unknown fields ['thread']"),
    "other protocol": (lambda job: {**job, "protocol": PROTOCOL + 1}, f"speaks protocol {PROTOCOL + 1}"),
    "unknown task": (lambda job: {**job, "task": "relaks"}, "task 'relaks' is unknown"),
    "misspelt parameter": (lambda job: {**job, "parameters": {"batchsize": 2}}, "did you mean 'batch_size'?"),
    "out of range": (lambda job: {**job, "parameters": {"batch_size": 0}}, "at least 1"),
    "unknown family": (lambda job: {**job, "model": {"family": "emtt"}}, "did you mean 'emt'?"),
    "threads": (lambda job: {**job, "threads": 0}, "threads"),
    "no structures": (lambda job: job, "structures.npz cannot be read"),
    "truncated structures": (lambda job: job, "structures.npz cannot be read"),
}


@pytest.mark.parametrize("case", BAD_JOBS)
def test_a_bad_job_is_refused_in_one_line(tmp_path, case):
    change, words = BAD_JOBS[case]
    folder = write_job(tmp_path, "evaluate", COPPER)
    content = change(json.loads((folder / JOB_FILE).read_text()))
    (folder / JOB_FILE).write_text(content if isinstance(content, str) else json.dumps(content))
    structures = folder / STRUCTURES_FILE
    if case == "no structures":
        structures.unlink()
    if case == "truncated structures":
        structures.write_bytes(structures.read_bytes()[:-200])
    results = run_here(folder)
    assert results["condition"] == "invalid-job"
    assert words in results["message"]
    assert "\n" not in results["message"]
    assert "Traceback" not in results["stderr"]


def test_the_wrong_environment_is_refused(tmp_path):
    folder = write_job(tmp_path, "evaluate", COPPER, model=ModelReference("mace", name="mp-0b3-medium"))
    results = run_here(folder)
    assert results["condition"] == "package-missing"
    assert "mace-torch" in results["message"]
    job = json.loads((write_job(tmp_path, "evaluate", COPPER) / JOB_FILE).read_text())
    (tmp_path / JOB_FILE).write_text(json.dumps({**job, "package_version": "1.0"}))
    assert run_here(tmp_path)["condition"] == "package-version"


def test_an_error_that_nobody_foresaw_has_a_line_and_a_traceback(tmp_path):
    model = calculator_from("faulty_calculators:faulty", fault="raise")
    results = run_here(write_job(tmp_path, "evaluate", COPPER, model=model))
    assert results["condition"] == "unexpected-error"
    assert results["message"].startswith("LookupError: line 1")
    assert "\n" not in results["message"]
    assert "Traceback" in results["stderr"]


@pytest.mark.parametrize("task", ["evaluate", "relax"])
@pytest.mark.parametrize("fault", ["memory", "device-memory"])
def test_too_little_memory_has_a_name(tmp_path, task, fault):
    model = calculator_from("faulty_calculators:faulty", fault=fault)
    results = run_here(write_job(tmp_path, task, COPPER, model=model))
    assert results["condition"] == "out-of-memory"
    assert "memory" in results["message"]
    assert "Traceback" not in results["stderr"]


def test_a_python_without_numpy_is_told_in_one_line(tmp_path):
    (tmp_path / "numpy.py").write_text("raise ImportError('No module named numpy')")
    folder = write_job(tmp_path / "job", "evaluate", COPPER)
    results = run_engine(folder, env=engine_environment(PYTHONPATH=f"{tmp_path}:{SOURCE}"))
    assert results["condition"] == "package-missing"
    assert "numpy and ase" in results["message"]


def test_without_a_job_there_are_no_results(tmp_path):
    process = start_engine(tmp_path)
    _, stderr = process.communicate()
    assert process.returncode == 2
    assert stderr.startswith("crucible_engine: cannot run ")
    assert len(stderr.splitlines()) == 1


def test_results_of_an_earlier_run_do_not_stay(tmp_path):
    run_here(write_job(tmp_path, "evaluate", COPPER))
    results = run_here(write_job(tmp_path, "evaluate", {"bad": bulk("Fe")}))
    assert results["condition"] == "unsupported-element"
    assert not (tmp_path / "arrays.npz").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_the_job_in_order(tmp_path, name):
    frames = rattled_copper(60, repeat=2)
    folder = write_job(tmp_path, "evaluate", frames, batch_size=1)
    process = start_engine(folder)
    while not (folder / JOURNAL_FILE).exists() or (folder / JOURNAL_FILE).stat().st_size < 20000:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(getattr(signal, name))
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 0
    results = read_results(folder)
    assert results["condition"] == "interrupted"
    assert name in results["message"]
    assert "Traceback" not in stderr
    assert results["timings"]["compute"] > 0
    done = sum(len(record.arrays["energies"]) for record in read_journal(folder / JOURNAL_FILE)[1])
    assert 0 < done < len(frames)
    resumed = run_here(folder)
    assert resumed["condition"] == "finished"
    assert resumed["summary"]["n_resumed"] == done


def limit_file_size(n_bytes: int):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))


@pytest.mark.slow
def test_a_file_system_that_takes_no_more_ends_the_job_in_order(tmp_path):
    frames = rattled_copper(40, repeat=2)
    folder = write_job(tmp_path / "full", "evaluate", frames, batch_size=1)
    results = run_engine(folder, preexec_fn=limit_file_size(30_000))
    assert results["condition"] == "disk-full"
    assert "Traceback" not in results["stderr"]
    done = sum(len(record.arrays["energies"]) for record in read_journal(folder / JOURNAL_FILE)[1])
    assert 0 < done < len(frames)
    assert run_here(folder)["condition"] == "finished"
    undisturbed = write_job(tmp_path / "undisturbed", "evaluate", frames, batch_size=1)
    run_here(undisturbed)
    for name, array in read_arrays(undisturbed).items():
        assert read_arrays(folder)[name].tobytes() == array.tobytes()


@pytest.mark.slow
def test_a_full_disk_still_takes_the_results(small_disk):
    folder = write_job(small_disk / "job", "evaluate", rattled_copper(40, repeat=2), batch_size=1)
    process = start_engine(folder)
    reserve = folder / ".results.json.reserve"
    while not reserve.exists() or reserve.stat().st_size < RESERVED_BYTES:  # before that a full disk ends it at once
        assert process.poll() is None
        time.sleep(0.001)
    with (small_disk / "filler").open("wb", buffering=0) as stream, pytest.raises(OSError, match="No space"):
        while True:
            stream.write(b"x" * 512)
    _, stderr = process.communicate()
    assert process.returncode == 0, stderr
    assert read_results(folder)["condition"] == "disk-full"
    (small_disk / "filler").unlink()
    assert run_here(folder)["condition"] in ("finished", "disk-full")


def test_a_folder_that_cannot_take_results_is_said_in_one_line(tmp_path):
    folder = write_job(tmp_path, "evaluate", COPPER)
    process = start_engine(folder, preexec_fn=limit_file_size(100))
    _, stderr = process.communicate()
    assert process.returncode == NO_SPACE_LEFT
    assert len(stderr.splitlines()) == 1
    assert not (folder / RESULTS_FILE).exists()


@pytest.mark.slow
def test_it_runs_as_one_file_from_any_folder(tmp_path):
    archive = tmp_path / "crucible_engine.pyz"
    zipapp.create_archive(
        SOURCE, archive, main="crucible_engine.job.program:main", filter=lambda path: path.parts[0] == "crucible_engine"
    )
    folder = write_job(tmp_path / "job", "evaluate", COPPER, model=EMT)
    environment = engine_environment(PYTHONPATH="")
    command = [sys.executable, "-I", str(archive), str(folder / JOB_FILE)]
    subprocess.run(command, check=True, cwd="/", env=environment)
    assert read_results(folder)["condition"] == "finished"
    shown = subprocess.run([*command[:3], "--help"], check=True, capture_output=True, text=True, env=environment)
    assert "job.json" in shown.stdout


def test_only_the_standard_library_is_imported_before_the_threads_are_settled():
    code = "import sys, crucible_engine.job.program; print('numpy' in sys.modules, 'ase' in sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=engine_environment()
    )
    assert shown.stdout.split() == ["False", "False"]


def test_a_molecule_needs_no_cell(tmp_path):
    results = run_here(write_job(tmp_path, "evaluate", {"water": molecule("H2O")}))
    assert (results["condition"], results["outcome"]) == ("finished", "finite")
    assert np.isnan(read_arrays(tmp_path)["stresses"]).all()

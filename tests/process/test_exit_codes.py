"""Every way a job can end has one exit code, and nothing that was computed is lost or made up on the way."""

from __future__ import annotations

import errno
import io
import json
import os

import numpy as np
import pytest
from aiida.engine import BaseRestartWorkChain, CalcJob, run_get_node
from aiida.orm import InstalledCode, TrajectoryData
from aiida.plugins.entry_point import get_entry_points
from ase.build import bulk

from aiida_crucible.calculations.evaluate.calculation import EvaluateCalculation, EvaluateParser
from aiida_crucible.calculations.exit_codes import FAILURES, OF_CONDITION
from aiida_crucible.nodes.structures import atoms_to_trajectory
from aiida_crucible.workflows.common.workchain import message_of
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain
from crucible_engine.wire.journal import JournalWriter, Record
from crucible_engine.wire.schema import EVALUATIONS, STARTED, Condition, Results

N_FRAMES = 4
CODES = EvaluateCalculation.exit_codes


def own_processes():
    """Return every CalcJob and WorkChain of this package."""
    groups = ("aiida.calculations", "aiida.workflows")
    own = [point for group in groups for point in get_entry_points(group) if point.name.startswith("crucible.")]
    points = [point for point in own if point.attr[:1].isupper()]  # calcfunctions have AiiDA's own codes
    assert len(points) >= 9
    return [pytest.param(point, id=point.name) for point in points]


@pytest.mark.parametrize("entry_point", own_processes())
def test_codes_below_400_invalidate_the_cache(entry_point):
    codes = entry_point.load().exit_codes.values()
    assert [code for code in codes if code.status != 0 and code.status < 400 and not code.invalidates_cache] == []


def test_codes_are_never_renumbered():
    """Numbers are an interface: scripts and archives of users hold them."""
    assert {failure.label: failure.status for failure in FAILURES} == {
        "ERROR_UNSUPPORTED_ELEMENT": 201,
        "ERROR_CHECKPOINT_MISSING": 202,
        "ERROR_CHECKPOINT_UNREADABLE": 203,
        "ERROR_CHECKPOINT_OF_ANOTHER_FAMILY": 204,
        "ERROR_CHECKPOINT_UNTRUSTED": 205,
        "ERROR_WEIGHTS_MISMATCH": 206,
        "ERROR_PACKAGE_MISSING": 207,
        "ERROR_PACKAGE_VERSION": 208,
        "ERROR_DEVICE_UNAVAILABLE": 209,
        "ERROR_INVALID_JOB": 210,
        "ERROR_INVALID_STRUCTURE": 211,
        "ERROR_CODE_UNTRUSTED": 212,
        "ERROR_CAPABILITY_MISSING": 213,
        "ERROR_ENGINE_NOT_STARTED": 220,
        "ERROR_NOTHING_TO_CONTINUE": 221,
        "ERROR_DISK_FULL": 301,
        "ERROR_UNEXPECTED": 302,
        "ERROR_RESULTS_UNREADABLE": 310,
        "ERROR_PROTOCOL_DIFFERS": 311,
        "ERROR_ARRAYS_UNREADABLE": 312,
        "ERROR_ARRAYS_MISMATCH": 313,
        "ERROR_INTERRUPTED": 400,
        "ERROR_OUT_OF_MEMORY": 401,
        "ERROR_OUT_OF_WALLTIME": 402,
        "ERROR_NODE_FAILURE": 403,
        "ERROR_NOT_CONVERGED": 500,
    }
    assert set(OF_CONDITION) == set(Condition) - {Condition.FINISHED}


OF_AIIDA = {*CalcJob.exit_codes, *BaseRestartWorkChain.exit_codes}
UNRECOVERABLE = {"ERROR_UNRECOVERABLE": 310}
NOT_VERIFIED = {
    "ERROR_VERIFICATION_FAILED": 330,
    "ERROR_CAPABILITY_MISSING": 331,
    "ERROR_VERIFICATION_UNFINISHED": 333,
}
OF_WORKCHAINS = {
    "crucible.comparison": {},
    "crucible.anharmonicity": {**NOT_VERIFIED, "ERROR_PHONONS_FAILED": 322, "ERROR_NOTHING_MEASURED": 410},
    "crucible.benchmark": {},
    "crucible.benchmark.batch": NOT_VERIFIED,
    "crucible.configuration_space": {"ERROR_COMPARISON_FAILED": 330},
    "crucible.dynamics.base": UNRECOVERABLE,
    "crucible.evaluate.base": UNRECOVERABLE,
    "crucible.harmonic_comparison": {"ERROR_PHONONS_FAILED": 322},
    "crucible.model_tests": {**NOT_VERIFIED, "ERROR_TESTS_FAILED": 325},
    "crucible.phonon": {**NOT_VERIFIED, "ERROR_RELAXATION_FAILED": 320, "ERROR_EVALUATION_FAILED": 321},
    "crucible.relax": {**NOT_VERIFIED, "ERROR_RELAXATION_FAILED": 320},
    "crucible.relax.base": UNRECOVERABLE,
    "crucible.reliability": {
        **NOT_VERIFIED,
        "ERROR_RELAXATION_FAILED": 320,
        "ERROR_PHONONS_FAILED": 322,
        "ERROR_SWEEP_FAILED": 323,
    },
    "crucible.similarity.base": UNRECOVERABLE,
    "crucible.speed": {"ERROR_NOTHING_TIMED": 326},
    "crucible.speed.base": UNRECOVERABLE,
    "crucible.sweep": {**NOT_VERIFIED, "ERROR_RELAXATION_FAILED": 320, "ERROR_EVERY_TEMPERATURE_FAILED": 332},
    "crucible.elastic": {**NOT_VERIFIED, "ERROR_RELAXATION_FAILED": 320, "ERROR_STRAINED_CELLS_FAILED": 324},
    "crucible.equation_of_state": {
        **NOT_VERIFIED,
        "ERROR_RELAXATION_FAILED": 320,
        "ERROR_STRAINED_CELLS_FAILED": 324,
    },
    "crucible.train": {
        **NOT_VERIFIED,
        "ERROR_EVALUATION_FAILED": 321,
        "ERROR_DATASET_REFUSED": 326,
        "ERROR_TRAINING_FAILED": 327,
    },
    "crucible.train.base": UNRECOVERABLE,
    "crucible.qha": {
        **NOT_VERIFIED,
        "ERROR_RELAXATION_FAILED": 320,
        "ERROR_EVALUATION_FAILED": 321,
        "ERROR_STRAINED_CELLS_FAILED": 324,
    },
    "crucible.conductivity": {
        **NOT_VERIFIED,
        "ERROR_RELAXATION_FAILED": 320,
        "ERROR_EVALUATION_FAILED": 321,
        "ERROR_PHONONS_FAILED": 322,
    },
    "crucible.vibrations": {
        **NOT_VERIFIED,
        "ERROR_RELAXATION_FAILED": 320,
        "ERROR_EVALUATION_FAILED": 321,
        "ERROR_DYNAMICS_FAILED": 323,
    },
    "crucible.verify": {"ERROR_VERIFICATION_FAILED": 320, "ERROR_VERIFICATION_UNFINISHED": 321},
}


def test_codes_of_workchains_are_never_renumbered():
    found = {}
    for point in get_entry_points("aiida.workflows"):
        if point.name.startswith("crucible."):
            codes = point.load().exit_codes
            found[point.name] = {label: code.status for label, code in codes.items() if label not in OF_AIIDA}
    assert found == OF_WORKCHAINS


@pytest.mark.parametrize("entry_point", own_processes())
def test_a_code_has_one_meaning_in_a_process(entry_point):
    codes = entry_point.load().exit_codes
    statuses = [code.status for code in codes.values()]
    assert sorted(set(statuses)) == sorted(statuses)
    assert all(200 <= code.status < 600 for label, code in codes.items() if label not in OF_AIIDA)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "the disk of AiiDA's own profile is full"),
        (ValueError("something else"), "ValueError: something else"),
    ],
)
def test_a_job_that_aiida_could_not_finish(error, said, code, model, copper, monkeypatch):
    """Say so in every WorkChain above, the disk of AiiDA's repository in particular."""

    def fail(*arguments, **named):
        raise error

    monkeypatch.setattr(EvaluateParser, "parse", fail)
    _, node = run_get_node(
        EvaluateBaseWorkChain, evaluate={"code": code, "model": model, "structures": {"copper": copper}}
    )
    assert node.exit_status == EvaluateBaseWorkChain.exit_codes.ERROR_SUB_PROCESS_EXCEPTED.status
    assert node.exit_message.startswith(f"EvaluateCalculation<{node.called[0].pk}> excepted: {said}")
    assert "\n" not in node.exit_message
    assert said in message_of(node)


@pytest.fixture
def frames() -> TrajectoryData:
    """Return frames of copper."""
    return atoms_to_trajectory([bulk("Cu", cubic=True)] * N_FRAMES)


@pytest.fixture
def arrays():
    """Return what an engine could have computed for the frames."""
    rng = np.random.default_rng(3)
    return {
        "energies": rng.normal(size=N_FRAMES),
        "forces": rng.normal(size=(4 * N_FRAMES, 3)),
        "stresses": rng.normal(size=(N_FRAMES, 6)),
        "n_atoms": np.full(N_FRAMES, 4),
    }


@pytest.fixture
def results(model):
    """Return a function that gives the bytes of ``results.json``."""

    def write(condition=Condition.FINISHED, **changes):
        content = Results("evaluate", condition.value, "why", "finite", model={"sha256": model.sha256}).to_dict()
        return json.dumps({**content, **changes}).encode()

    return write


def npz(arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def journal(arrays, path):
    """Return the bytes of a journal with one record a frame."""
    writer = JournalWriter(path, {"task": "evaluate"})
    for start in range(N_FRAMES):
        part = {name: array[start : start + 1] for name, array in arrays.items()}
        part["forces"] = arrays["forces"][4 * start : 4 * start + 4]
        writer.append(Record(EVALUATIONS, {"start": start}, part))
    writer.close()
    return path.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("condition", [condition for condition in Condition if condition in OF_CONDITION])
def test_condition_of_the_engine(condition, parse, frames, results, arrays):
    complete = condition is Condition.NOT_CONVERGED
    temporary = {"arrays.npz": npz(arrays)} if complete else {}
    outputs, code = parse("evaluate", {"results.json": results(condition)}, temporary, {"trajectory": frames})
    assert code.status == OF_CONDITION[condition].status
    assert code.message == "why"
    assert outputs["results"]["condition"] == condition.value
    assert ("properties" in outputs) == complete


def test_non_finite_numbers_are_a_result(parse, frames, results, arrays):
    arrays["forces"][5] = np.nan
    files = {"results.json": results(outcome="non-finite")}
    outputs, code = parse("evaluate", files, {"arrays.npz": npz(arrays)}, {"trajectory": frames})
    assert code.status == 0
    assert outputs["results"]["outcome"] == "non-finite"
    assert np.isnan(outputs["properties"].get_array("forces")[1, 1]).all()


def test_other_weights_than_the_models(parse, frames, results, arrays):
    files = {"results.json": results(model={"sha256": "0" * 64})}
    outputs, code = parse("evaluate", files, {"arrays.npz": npz(arrays)}, {"trajectory": frames})
    assert code.status == CODES.ERROR_WEIGHTS_MISMATCH.status
    assert "000000" in code.message
    assert "properties" not in outputs


def test_another_protocol(parse, frames, results, arrays):
    files = {"results.json": results(protocol=0)}
    outputs, code = parse("evaluate", files, {"arrays.npz": npz(arrays)}, {"trajectory": frames})
    assert code.status == CODES.ERROR_PROTOCOL_DIFFERS.status
    assert outputs == {}


@pytest.mark.parametrize("cut", [0, 1, 40, 150, -2])
def test_truncated_results(cut, parse, frames, results, arrays):
    files = {"results.json": results()[:cut]}
    outputs, code = parse("evaluate", files, {"arrays.npz": npz(arrays)}, {"trajectory": frames})
    assert code.status == CODES.ERROR_RESULTS_UNREADABLE.status
    assert "results.json is damaged" in code.message
    assert outputs == {}


def test_results_with_nan_are_no_json(parse, frames, results, arrays):
    files = {"results.json": results(peak_memory=float("nan"))}
    _, code = parse("evaluate", files, {"arrays.npz": npz(arrays)}, {"trajectory": frames})
    assert code.status == CODES.ERROR_RESULTS_UNREADABLE.status


def test_missing_arrays(parse, frames, results):
    outputs, code = parse("evaluate", {"results.json": results()}, {}, {"trajectory": frames})
    assert code.status == CODES.ERROR_ARRAYS_UNREADABLE.status
    assert "arrays.npz was not retrieved" in code.message
    assert list(outputs) == ["results"]


def test_truncated_arrays(parse, frames, results, arrays):
    content = npz(arrays)
    for cut in (0, 100, len(content) - 1):
        outputs, code = parse(
            "evaluate", {"results.json": results()}, {"arrays.npz": content[:cut]}, {"trajectory": frames}
        )
        assert code.status == CODES.ERROR_ARRAYS_UNREADABLE.status
        assert list(outputs) == ["results"]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("forces", lambda array: array[:-1], "forces has shape (15, 3) where (16, 3)"),
        ("energies", lambda array: array[1:], "energies has shape (3,) where (4,)"),
        ("stresses", lambda array: array[:, :3], "stresses has shape (4, 3) where (4, 6)"),
        ("n_atoms", lambda array: array + np.array([0, 1, -1, 0]), "other numbers of atoms than the inputs"),
    ],
)
def test_arrays_of_other_structures(name, change, message, parse, frames, results, arrays):
    arrays[name] = change(arrays[name])
    outputs, code = parse("evaluate", {"results.json": results()}, {"arrays.npz": npz(arrays)}, {"trajectory": frames})
    assert code.status == CODES.ERROR_ARRAYS_MISMATCH.status
    assert code.message.startswith("the arrays do not match the inputs: ")
    assert message in code.message
    assert "properties" not in outputs


@pytest.mark.slow
def test_interrupted_job_keeps_what_was_done(parse, frames, arrays, tmp_path):
    content = journal(arrays, tmp_path / "whole.bin")
    seen = set()
    for cut in range(0, len(content) + 1, len(content) // 7):
        outputs, code = parse("evaluate", {"journal.bin": content[:cut]}, {}, {"trajectory": frames})
        assert code.status == CODES.ERROR_INTERRUPTED.status
        done = outputs["results"]["summary"]["n_completed"]
        assert outputs["results"]["summary"]["n_structures"] == N_FRAMES
        assert ("properties" in outputs) == (done > 0)
        if done:
            assert np.array_equal(outputs["properties"].get_array("energies"), arrays["energies"][:done])
            assert np.array_equal(
                outputs["properties"].get_array("forces").reshape(-1, 3), arrays["forces"][: 4 * done]
            )
        seen.add(done)
    assert {0, 1, N_FRAMES - 1} <= seen


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "label"),
    [
        ({}, "ERROR_INTERRUPTED"),
        ({"exit_status.txt": b"137\n"}, "ERROR_INTERRUPTED"),
        ({"exit_status.txt": b"143\n"}, "ERROR_INTERRUPTED"),
        ({"exit_status.txt": b"139\n"}, "ERROR_UNEXPECTED"),
        ({"exit_status.txt": b"127\n", "stderr.txt": b"bash: python: not found\n"}, "ERROR_ENGINE_NOT_STARTED"),
        ({"exit_status.txt": b"0\n", "stderr.txt": b""}, "ERROR_ENGINE_NOT_STARTED"),
        ({"exit_status.txt": b"1\n", "stderr.txt": b"OSError: No space left on device\n"}, "ERROR_DISK_FULL"),
        ({"exit_status.txt": b"1\n", "stderr.txt": b"OSError: Disk quota exceeded\n"}, "ERROR_DISK_FULL"),
        ({"exit_status.txt": b"28\n"}, "ERROR_DISK_FULL"),
        ({"exit_status.txt": b"", "stderr.txt": b"", "progress.jsonl": b""}, "ERROR_DISK_FULL"),
        ({"exit_status.txt": b"Traceback (most recent call last)\n", "progress.jsonl": b"{}\n"}, "ERROR_INTERRUPTED"),
        ({"exit_status.txt": b"2\n", "stderr.txt": b"crucible_engine: cannot run job.json\n"}, "ERROR_UNEXPECTED"),
        ({"exit_status.txt": b"1\n", "stderr.txt": b"", "progress.jsonl": b"{}\n"}, "ERROR_INTERRUPTED"),
        ({"exit_status.txt": b"1\n", "stderr.txt": b"", "stdout.txt": STARTED.encode()}, "ERROR_UNEXPECTED"),
    ],
)
def test_job_without_results(files, label, parse, frames):
    outputs, code = parse("evaluate", files, {}, {"trajectory": frames})
    assert code.status == CODES[label].status
    assert "Traceback" not in code.message
    assert outputs["results"]["summary"]["n_completed"] == 0
    assert (outputs["results"]["condition"] == "interrupted") == (label == "ERROR_INTERRUPTED")
    if label == "ERROR_ENGINE_NOT_STARTED":
        said = files["stderr.txt"].decode().strip()
        assert f"code 'python' {f'said {said!r}' if said else 'ended without a word'}" in code.message


@pytest.mark.parametrize(
    ("scheduler_status", "label"),
    [(110, "ERROR_OUT_OF_MEMORY"), (120, "ERROR_OUT_OF_WALLTIME"), (140, "ERROR_NODE_FAILURE")],
)
def test_scheduler_knows_better(scheduler_status, label, parse, frames, results):
    files = {"results.json": results(Condition.INTERRUPTED)}
    _, code = parse("evaluate", files, {}, {"trajectory": frames}, scheduler_status)
    assert code.status == CODES[label].status


def test_other_words_of_the_scheduler_are_kept(parse, frames):
    _, code = parse("evaluate", {}, {}, {"trajectory": frames}, scheduler_status=131)
    assert code.status == 131


def test_finished_job_is_finished_whatever_came_after(parse, frames, results, arrays):
    files = {"results.json": results()}
    _, code = parse("evaluate", files, {"arrays.npz": npz(arrays)}, {"trajectory": frames}, scheduler_status=120)
    assert code.status == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("executable", "said"),
    [("/bin/true", "code 'true' ended without a word"), ("/no/python", "No such file or directory")],
)
def test_code_that_is_no_python(executable, said, model, copper, localhost):
    code = InstalledCode(label=executable.split("/")[-1], computer=localhost, filepath_executable=executable).store()
    _, node = run_get_node(EvaluateCalculation, code=code, model=model, structures={"copper": copper})
    assert node.exit_status == CODES.ERROR_ENGINE_NOT_STARTED.status
    assert said in node.exit_message

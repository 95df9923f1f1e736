"""What a killed ``evaluate`` may leave behind, and nothing else."""

from __future__ import annotations

import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from engine_jobs import read_arrays, read_results, run_engine, start_engine
from seeds import chosen_seed

from crucible_engine.wire.journal import read_journal
from crucible_engine.wire.schema import ARRAYS_FILE, JOURNAL_FILE, RESULTS_FILE


def kill_at_random_moments(
    folder: Path, reference: dict[str, np.ndarray], kills: int, start: float, span: float, python: str = sys.executable
) -> None:
    """Start a job, SIGKILL it, check what it left, and start it again, as often as wanted.

    Every second kill comes at any moment since the process began, the others after it has begun to compute. A job that
    was finished before its kill came is begun anew.

    :param folder: the job's folder.
    :param reference: arrays of the same job when nobody disturbed it.
    :param start: seconds that a process needs until it computes.
    :param span: seconds of computation within which kills come.
    """
    moments = random.Random(chosen_seed())
    journal = folder / JOURNAL_FILE
    held = []
    for kill in range(kills):
        before = _size(journal)
        process = start_engine(folder, python=python)
        while kill % 2 and process.poll() is None and _size(journal) == before:
            time.sleep(0.002)
        time.sleep(moments.uniform(0.0, span if kill % 2 else start + span))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        count = check_remains(folder, reference)
        if (folder / RESULTS_FILE).exists():
            (folder / RESULTS_FILE).unlink()
            journal.unlink(missing_ok=True)
        else:
            held.append(count)
    print(f"structures in the journal after each kill: {held}")
    assert len(set(held)) >= kills // 4, "the kills did not hit the computation"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def finish(folder: Path, reference: dict[str, np.ndarray], python: str = sys.executable) -> dict[str, Any]:
    """Let a job finish, check that its arrays are bit by bit those of the undisturbed one, and return its results."""
    results = run_engine(folder, python=python)
    assert results["condition"] == "finished", results["message"]
    assert_same_arrays(read_arrays(folder), reference)
    assert not (folder / JOURNAL_FILE).exists()
    return results


def check_remains(folder: Path, reference: dict[str, np.ndarray]) -> int:
    """Check that a killed job left no wrong or half number; return how many structures its journal holds."""
    if (folder / RESULTS_FILE).exists():
        assert read_results(folder)["condition"] == "finished"
        assert (folder / ARRAYS_FILE).exists()
    if (folder / ARRAYS_FILE).exists():
        assert_same_arrays(read_arrays(folder), reference)
    return _check_journal(folder / JOURNAL_FILE, reference)


def assert_same_arrays(found: dict[str, np.ndarray], reference: dict[str, np.ndarray]) -> None:
    """Check that two jobs' arrays are the same to the last bit."""
    assert sorted(found) == sorted(reference)
    for name, array in reference.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes(), name


def _check_journal(path: Path, reference: dict[str, np.ndarray]) -> int:
    if not path.exists():
        return 0
    try:
        _, records = read_journal(path)
    except ValueError:  # killed while the header was written
        assert path.stat().st_size < 2000
        return 0
    structures = rows = 0
    for record in records:
        assert record.fields["start"] == structures
        count, n_rows = len(record.arrays["energies"]), len(record.arrays["forces"])
        for name, array in record.arrays.items():
            begin, length = (rows, n_rows) if name == "forces" else (structures, count)
            assert array.tobytes() == reference[name][begin : begin + length].tobytes(), name
        structures, rows = structures + count, rows + n_rows
    return structures

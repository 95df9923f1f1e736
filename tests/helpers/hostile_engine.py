"""The engine's border: job folders of which one file is hostile."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import signal
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from engine_jobs import EMT, call_here, rattled_copper, read_results, write_job
from mutations import mutated, mutated_bytes, mutated_json, mutated_npz
from similarity_jobs import STAND_IN, salt_frames

from crucible_engine.job.process import Interrupted, Interruption
from crucible_engine.job.runner import run_job
from crucible_engine.job.threads import ThreadControl
from crucible_engine.wire.schema import (
    JOB_FILE,
    JOURNAL_FILE,
    RUN_FOLDER,
    STRUCTURES_FILE,
    Condition,
    Job,
    Results,
)

LONGEST_RUN = 15.0
"""Seconds after which a job, which may ask for a billion steps, is told to stop as a scheduler would."""

TASKS: dict[str, dict[str, Any]] = {
    "evaluate": {"batch_size": 2},
    "relax": {"max_steps": 3, "trajectory_interval": 1},
    "dynamics": {"temperatures": [300.0, 400.0], "steps": 12, "checkpoint_interval": 4, "frame_forces": True},
    "similarity": {"frames": 3},
}
PARTLY = (Condition.FINISHED.value, Condition.NOT_CONVERGED.value, Condition.INTERRUPTED.value)
"""Conditions of what was accepted."""


def make_templates(folder: Path) -> list[Path]:
    """Return the folders of jobs that were interrupted half-way, of each task one; of dynamics in either replica."""
    found = []
    for task, parameters in TASKS.items():
        structures = salt_frames(4) if task == "similarity" else rattled_copper(1 if task == "dynamics" else 4)
        model = None if task == "similarity" else EMT
        for steps in (6, 18) if task == "dynamics" else (0,):
            place = write_job(folder / f"{task}-{steps}", task, structures, model, **parameters)
            run_half(place, steps)
            found.append(place)
    return found


def attempt(rng: random.Random, templates: list[Path], place: Path) -> str | None:
    """Run a job of which one file is hostile; return the message, ``None`` where all went well."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(rng.choice(templates), place)
    victims = [JOB_FILE, JOB_FILE, JOB_FILE, STRUCTURES_FILE, STRUCTURES_FILE, JOURNAL_FILE, JOURNAL_FILE]
    victims += [f"{RUN_FOLDER}/{path.name}" for path in sorted((place / RUN_FOLDER).glob("*"))] * 2
    spoil(rng, place / rng.choice([name for name in victims if (place / name).exists()]))
    with told_to_stop(LONGEST_RUN), stand_in_for_dscribe():
        status, stderr = call_here(place)
    assert "Traceback" not in stderr, stderr
    if status:  # there is no job to speak of, so that there are no results
        assert stderr.startswith("crucible_engine: cannot run "), stderr
        return stderr.strip()
    results = {**read_results(place), "stderr": stderr}
    assert results["condition"] != Condition.UNEXPECTED_ERROR.value, results["message"]
    left = sorted(path.name for path in [*place.glob(".*"), *place.glob(f"{RUN_FOLDER}/.*")])
    assert not left, f"half files are left: {left}"
    if results["condition"] in PARTLY:
        return None
    assert results["message"], results["condition"]
    assert results["stderr"].strip() == f"crucible_engine: {results['message']}", results["stderr"]
    return str(results["message"])


def spoil(rng: random.Random, path: Path) -> None:
    """Make a file of a job hostile."""
    kind = rng.random()
    if kind < 0.03:
        path.unlink()
        path.mkdir()
    elif path.suffix == ".json":
        path.write_bytes(mutated_json(rng, json.loads(path.read_bytes())))
    elif path.suffix == ".npz":
        path.write_bytes(spoilt_archive(rng, path))
    elif path.name == JOURNAL_FILE:
        path.write_bytes(mutated_journal(rng, path.read_bytes()))
    else:
        path.write_bytes(mutated_bytes(rng, path.read_bytes()))


def spoilt_archive(rng: random.Random, path: Path) -> bytes:
    """Return the bytes of an ``.npz`` made hostile; where it holds JSON, that too."""
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    if "scalars" in arrays and rng.random() < 0.6:
        text = mutated_json(rng, json.loads(str(arrays["scalars"]))).decode("utf-8", "replace")
        return mutated_npz(random.Random(0), arrays) if not text else _npz_with(arrays, scalars=np.array(text))
    return mutated_npz(rng, arrays)


def _npz_with(arrays: dict[str, np.ndarray], **changes: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **{**arrays, **changes})  # type: ignore[arg-type]
    return stream.getvalue()


def mutated_journal(rng: random.Random, content: bytes) -> bytes:
    """Return a journal with damaged bytes, or with a record that is damaged and has a right checksum."""
    if rng.random() < 0.2:
        return mutated_bytes(rng, content)
    payloads = _payloads(content)
    index = rng.randrange(len(payloads))
    (length,) = struct.unpack_from("<I", payloads[index])
    text, arrays = payloads[index][4 : 4 + length], payloads[index][4 + length :]
    change = rng.choice(("text", "text", "text", "text", "arrays", "length", "drop", "repeat", "swap", "short"))
    if change == "text":
        spoilt = json.dumps(mutated(rng, json.loads(text))).encode("utf-8", "surrogatepass")
        if rng.random() < 0.1:
            spoilt = mutated_json(rng, json.loads(text))
        payloads[index] = struct.pack("<I", len(spoilt)) + spoilt + arrays
    elif change == "arrays":
        payloads[index] = struct.pack("<I", length) + text + mutated_bytes(rng, arrays)
    elif change == "length":
        payloads[index] = struct.pack("<I", rng.choice((0, 1, length - 1, length + 8, 2**32 - 1))) + text + arrays
    elif change == "drop":
        del payloads[index]
    elif change == "repeat":
        payloads.insert(index, payloads[index])
    elif change == "swap":
        payloads[index], payloads[-1] = payloads[-1], payloads[index]
    else:
        payloads[index] = payloads[index][: rng.randrange(6)]
    return b"".join(struct.pack("<4sQI", b"CRJ1", len(part), zlib.crc32(part)) + part for part in payloads)


def _payloads(content: bytes) -> list[bytes]:
    payloads, position = [], 0
    while position < len(content):
        _, length, _ = struct.unpack_from("<4sQI", content, position)
        payloads.append(content[position + 16 : position + 16 + length])
        position += 16 + length
    return payloads


class _AfterSteps(Interruption):
    """Stops a dynamics after some steps, as a signal would."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._left = steps

    @property
    def requested(self) -> bool:
        self._left -= 1
        if self._left == 0:
            self._received = "SIGTERM"
        return self._left <= 0


def run_half(folder: Path, steps: int = 0) -> None:
    """Run a job and take the last part of what it did away; a dynamics stops after some steps."""
    job = Job.from_dict(json.loads((folder / JOB_FILE).read_text()))
    threads = ThreadControl(1, dict(os.environ))
    interruption = _AfterSteps(steps) if job.task == "dynamics" else Interruption()
    with stand_in_for_dscribe(), contextlib.suppress(Interrupted):
        run_job(job, folder, interruption, threads, began=0.0, results=Results(job.task, ""))
    threads.leave()
    for name in ("arrays.npz", "trajectories.npz"):
        (folder / name).unlink(missing_ok=True)
    if (folder / JOURNAL_FILE).exists():
        payloads = _payloads((folder / JOURNAL_FILE).read_bytes())
        kept = sum(16 + len(payload) for payload in payloads[: max(2, len(payloads) * 2 // 3)])
        with (folder / JOURNAL_FILE).open("r+b") as stream:
            stream.truncate(kept)


@contextlib.contextmanager
def told_to_stop(seconds: float) -> Iterator[None]:
    """Send this process the signal of a scheduler, as long as the block lasts, from some seconds on."""
    before = signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGUSR1))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def stand_in_for_dscribe() -> Iterator[None]:
    """Let the engine find the tests' stand-in for dscribe."""
    sys.path.insert(0, str(STAND_IN))
    try:
        yield
    finally:
        sys.path.remove(str(STAND_IN))

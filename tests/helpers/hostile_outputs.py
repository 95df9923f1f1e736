"""The parsers' border: what a job left behind, of which one file is hostile."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from hostile_engine import mutated_journal
from mutations import mutated_arrays, mutated_bytes, mutated_json, mutated_npz, npz

from crucible_engine.job.checkpoints import Checkpoints
from crucible_engine.tasks.dynamics.stream import Stream, series_dtype
from crucible_engine.wire.journal import JournalWriter, Record
from crucible_engine.wire.records import MEASURED, SIZE_BEGUN, SIZE_TIMED
from crucible_engine.wire.schema import (
    ARRAYS_FILE,
    EVALUATED,
    EVALUATIONS,
    JOURNAL_FILE,
    PROGRESS_FILE,
    RELAXED,
    RESULTS_FILE,
    SERIES_COLUMNS,
    TRAJECTORIES_FILE,
    Condition,
    Results,
)

Files = dict[str, bytes]
N_ATOMS = 4
SIZES = (4, 4)


class Remains:
    """What jobs of every task leave, whole.

    :param folder: for files on their way.
    :param sha256: of the model.
    """

    def __init__(self, folder: Path, sha256: str | None) -> None:
        self._folder, self._sha256 = folder, sha256
        self._rng = np.random.default_rng(0)

    def results(self, task: str, condition: Condition) -> dict[str, Any]:
        """Return the content of ``results.json``."""
        outcome = {"verify": "passed", "dynamics": "stable"}.get(task, "finite")
        summary = {
            "n_structures": 2,
            "checkpoint": None,
            "replicas": {"replica_0": {"outcome": "stable"}},
            "checks": [],
        }
        timings = {"total": 1.0}
        model = {"family": "emt", "sha256": self._sha256}
        return Results(task, condition.value, "why", outcome, summary, model, {"host": "x"}, timings).to_dict()

    def arrays(self, task: str) -> dict[str, np.ndarray]:
        """Return the members of ``arrays.npz``."""
        random, n = self._rng.normal, len(SIZES)
        if task == "dynamics":
            return {f"{name}_{i}": array for i in range(2) for name, array in self._replica().items()}
        if task == "similarity":
            numbers = {name: np.zeros(4, dtype=np.int64) for name in ("sampler", "frame", "n_atoms")}
            return {
                "kernel": random(size=(4, 4)),
                "self_similarities": random(size=4),
                "coordinates": random(size=(4, 2)),
                "variances": random(size=2),
                **numbers,
            }
        properties = {
            "energies": random(size=n),
            "forces": random(size=(sum(SIZES), 3)),
            "stresses": random(size=(n, 6)),
            "n_atoms": np.array(SIZES),
        }
        if task == "evaluate":
            return properties
        return {
            **properties,
            "positions": random(size=(sum(SIZES), 3)),
            "cells": np.array([np.eye(3) * 4] * n),
            "numbers": np.full(sum(SIZES), 29, dtype=np.int32),
            "pbc": np.ones((n, 3), dtype=bool),
            "labels": np.array(["a", "b"]),
        }

    def trajectories(self) -> dict[str, np.ndarray]:
        """Return the members of ``trajectories.npz``."""
        return {**self.arrays("relax"), "steps": np.array([0, 1])}

    def journal(self, task: str) -> bytes:
        """Return the journal of an unfinished job."""
        path = self._folder / JOURNAL_FILE
        path.unlink(missing_ok=True)
        writer = JournalWriter(path, {"task": task})
        arrays = {name: array[: len(array) // 2] for name, array in self.arrays("relax").items() if name != "labels"}
        if task == "evaluate":
            kept = ("energies", "forces", "stresses", "n_atoms")
            writer.append(Record(EVALUATIONS, {"start": 0}, {name: arrays[name] for name in kept}))
        elif task == "relax":
            kept = ("positions", "cells", "energies", "forces", "stresses")
            arrays = {name: arrays[name] for name in kept}
            of_one = {name: arrays[name][None] for name in ("positions", "forces")}
            writer.append(
                Record(
                    EVALUATED, {"index": 0, "start": 0, "stress": True}, {**arrays, **of_one, "steps": np.array([0])}
                )
            )
            writer.append(Record(RELAXED, {"index": 0, "steps": 3, "outcome": "converged", "energy": -1.0}, arrays))
        elif task == "speed":
            place = {"index": 0, "repeat": 1, "n_atoms": SIZES[0]}
            writer.append(Record(SIZE_BEGUN, place))
            writer.append(Record(SIZE_TIMED, {**place, "outcome": "measured", **dict.fromkeys(MEASURED, 1.0)}))
        else:
            writer.append(Record("tile", {"tile": [0, 0]}, {"similarities": np.eye(2)}))
        writer.close()
        return path.read_bytes()

    def run_folder(self) -> Files:
        """Return what of the run folder of an unfinished dynamics comes back."""
        done = {"replica_0": {"outcome": "stable", "step": 12}}
        scalars = {"done": done, "rows_of_done": {"0": [3, 3]}, "replica": 1, "step": 5}
        Checkpoints(self._folder, {"task": "dynamics"}).write(scalars, {"positions": np.zeros((N_ATOMS, 3))})
        stream = Stream(self._folder / "series-0.npy", series_dtype(SERIES_COLUMNS), 0)
        for row in range(3):
            stream.append(np.full(len(SERIES_COLUMNS), float(row)))
        stream.seal()
        stream.close()
        own = {name: array for name, array in self._replica().items() if not name.startswith(("frame", "series"))}
        names = ("state.npz", "series-0.npy")
        return {"result-0.npz": npz(own), **{name: (self._folder / name).read_bytes() for name in names}}

    def _replica(self) -> dict[str, np.ndarray]:
        random = self._rng.normal
        vectors = ("mean_positions", "mean_square_displacements", "final_positions", "final_velocities")
        return {
            "series": random(size=(3, len(SERIES_COLUMNS))),
            "frame_steps": np.array([0, 10, 12]),
            "frame_cells": random(size=(3, 3, 3)),
            "frame_positions": random(size=(3, N_ATOMS, 3)).astype(np.float32),
            **{name: random(size=(N_ATOMS, 3)) for name in vectors},
            "mean_cell": random(size=(3, 3)),
            "final_cell": np.eye(3) * 4,
        }


def hostile_remains(rng: random.Random, task: str, remains: Remains) -> tuple[Files, Files]:
    """Return what a job of a task left for good and for the parser alone, of which one file is hostile."""
    finished = rng.random() < 0.5
    condition = Condition.FINISHED if finished else rng.choice((Condition.INTERRUPTED, Condition.DISK_FULL))
    progress = json.dumps({"time": 1.0, "task": task, "done": 1, "total": 2, "rate": None, "eta": None}).encode()
    kept: Files = {"stdout.txt": b"", "stderr.txt": b"", "exit_status.txt": b"0\n", PROGRESS_FILE: progress + b"\n"}
    if finished or rng.random() < 0.5:
        kept[RESULTS_FILE] = json.dumps(remains.results(task, condition)).encode()
    temporary: Files = {}
    if finished and task != "verify":
        temporary[ARRAYS_FILE] = npz(remains.arrays(task))
        if task == "relax":
            temporary[TRAJECTORIES_FILE] = npz(remains.trajectories())
    elif task == "dynamics":
        temporary |= remains.run_folder()
        if rng.random() < 0.3:
            temporary[ARRAYS_FILE] = npz(remains.arrays(task))
    elif task != "verify":
        kept[JOURNAL_FILE] = remains.journal(task)
    for files in (kept, temporary):
        for name in list(files):
            if _is_victim(rng, name, [*kept, *temporary]):
                _spoil(rng, files, name)
    return kept, temporary


def _is_victim(rng: random.Random, name: str, names: list[str]) -> bool:
    told = [RESULTS_FILE, ARRAYS_FILE, TRAJECTORIES_FILE, JOURNAL_FILE, "state.npz", "series-0.npy", "result-0.npz"]
    weight = 1.5 if name in told else 0.3
    return rng.random() < weight / sum(name in told for name in [*names, ARRAYS_FILE])


def _spoil(rng: random.Random, files: Files, name: str) -> None:
    content = files.pop(name)
    kind = rng.random()
    if kind < 0.05:
        return  # it was not retrieved
    if kind < 0.1:
        files[f"{name}/inner"] = content  # a folder stands in its place
        return
    spoilers: Mapping[str, Callable[[], bytes]] = {
        ".json": lambda: mutated_json(rng, json.loads(content)),
        ".jsonl": lambda: mutated_json(rng, json.loads(content)),
        ".npz": lambda: _spoilt_npz(rng, content),
        ".bin": lambda: mutated_journal(rng, content),
        ".npy": lambda: _spoilt_npy(rng, content),
    }
    spoiler = spoilers.get(Path(name).suffix, lambda: _spoilt_text(rng, content))
    files[name] = spoiler()


def _spoilt_npz(rng: random.Random, content: bytes) -> bytes:
    with np.load(io.BytesIO(content)) as archive:
        arrays = {name: archive[name] for name in archive.files}
    if "scalars" in arrays and rng.random() < 0.7:
        text = mutated_json(rng, json.loads(str(arrays["scalars"]))).decode("utf-8", "replace")
        return npz({**arrays, "scalars": np.array(text)})
    return mutated_npz(rng, arrays)


def _spoilt_npy(rng: random.Random, content: bytes) -> bytes:
    if rng.random() < 0.5:
        return mutated_bytes(rng, content)
    array = next(iter(mutated_arrays(rng, {"x": np.load(io.BytesIO(content))}).values()), np.zeros(3))
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _spoilt_text(rng: random.Random, content: bytes) -> bytes:
    said = (b"", b"137\n", b"x\xff", b"9" * 5000, b"134", "²".encode(), b"-1", b"Traceback\nNo space left on device\n")
    return rng.choice((*said, b"crucible_engine: x\ny\x1b[31m\n", b"a" * 10_000, mutated_bytes(rng, content)))

"""The time and the memory of calls of one model for one number of atoms."""

from __future__ import annotations

import contextlib
import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from crucible_engine.families.base import Model, is_periodic
from crucible_engine.job.environment import peak_device_memory, peak_memory
from crucible_engine.wire.results import is_out_of_memory

LEAST = 3
"""Calls of which a median can be told."""
Entry = dict[str, Any]


@dataclass(frozen=True)
class Timing:
    """How to time.

    :param steps: calls besides the first.
    :param displacement: standard deviation of a coordinate from one call to the next, Å.
    :param patience: seconds after which no further call of a size begins, once there are :data:`LEAST`.
    """

    steps: int
    displacement: float
    stress: bool
    largest_batch: int
    patience: float
    seed: int
    least_calls: int = LEAST

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Timing:
        """Return what the parameters of the task say."""
        names = ("steps", "displacement", "stress", "largest_batch", "patience", "seed")
        return cls(**{name: parameters[name] for name in names})


def time_size(model: Model, atoms: Atoms, repeat: int, timing: Timing, pause: Callable[[], None]) -> Entry:
    """Return time and memory for a crystal repeated in all periodic directions, see :mod:`.run`.

    :param pause: called between calls; may end the job.
    """
    crystal = atoms * tuple(repeat if periodic else 1 for periodic in atoms.pbc)
    _reset_peaks(model.device)
    try:
        entry = _time_loop(model, crystal, timing, pause)
        fitting: Entry = {"outcome": "measured", "batches": list(_time_batches(model, crystal, timing, pause))}
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not is_out_of_memory(error):
            raise
        entry, fitting = {}, {"outcome": "out-of-memory", "reason": f"a call does not fit into {model.device}'s memory"}
    device_memory = peak_device_memory(model.device)
    memory = {
        "peak_memory": round(peak_memory(), 1),
        "peak_device_memory": None if device_memory is None else round(device_memory, 1),
    }
    return {**fitting, **entry, **memory}


def _time_loop(model: Model, crystal: Atoms, timing: Timing, pause: Callable[[], None]) -> Entry:
    """Return the times of calls through ASE's calculator, as a run makes them."""
    frames = _moving(crystal, timing)
    runner = crystal.copy()
    runner.calc = model.calculator()
    wants_stress = timing.stress and model.gives_stress and is_periodic(crystal)

    def call() -> None:
        runner.positions = next(frames).positions
        runner.get_forces()
        if wants_stress:
            runner.get_stress()

    first = _seconds_of(call, model.device)
    seconds: list[float] = []
    while len(seconds) < timing.steps and (len(seconds) < LEAST or first + sum(seconds) < timing.patience):
        pause()
        seconds.append(_seconds_of(call, model.device))
    return {
        "first_call": first,
        "milliseconds_per_step": 1000 * statistics.median(seconds),
        "fastest": 1000 * min(seconds),
        "slowest": 1000 * max(seconds),
        "with_warm_up": 1000 * (first + sum(seconds)) / (1 + len(seconds)),
    }


def _time_batches(model: Model, crystal: Atoms, timing: Timing, pause: Callable[[], None]) -> Iterator[Entry]:
    """Yield the time a structure of growing batches, until they no longer fit or would take longer than is allowed."""
    frames = _moving(crystal, timing)
    size, spent = 1, 0.0
    while size <= timing.largest_batch:
        batch = [next(frames) for _ in range(size)]

        def call(batch: list[Atoms] = batch) -> None:
            model.evaluate_batch(batch, timing.stress)

        try:
            _seconds_of(call, model.device)
            seconds = []
            for _ in range(LEAST):
                pause()
                seconds.append(_seconds_of(call, model.device))
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not is_out_of_memory(error):
                raise
            return
        yield {"size": size, "milliseconds_per_structure": 1000 * statistics.median(seconds) / size}
        spent += sum(seconds)
        size *= 2
        # The next batch takes twice as long, and there are calls to warm up.
        if spent + 2 * (LEAST + 1) * statistics.median(seconds) > timing.patience:
            return


def _moving(crystal: Atoms, timing: Timing) -> Iterator[Atoms]:
    """Yield the crystal with its atoms elsewhere each time, so that no neighbour list serves twice."""
    rng = np.random.default_rng(timing.seed)
    while True:
        frame = crystal.copy()
        frame.positions += rng.normal(scale=timing.displacement, size=frame.positions.shape)
        yield frame


def _seconds_of(call: Callable[[], None], device: str) -> float:
    """Return how long a call takes, what it left to a GPU included."""
    begin = time.perf_counter()
    call()
    if device.startswith("cuda"):
        sys.modules["torch"].cuda.synchronize(device)
    return time.perf_counter() - begin


def _reset_peaks(device: str) -> None:
    """Let the peaks of memory begin anew, where the system can."""
    gc.collect()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets the peak of the resident memory
    if device.startswith("cuda"):
        sys.modules["torch"].cuda.empty_cache()
        sys.modules["torch"].cuda.reset_peak_memory_stats(device)

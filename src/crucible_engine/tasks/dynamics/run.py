"""The task ``dynamics``: molecular dynamics of one structure at one or more temperatures (replicas), or of several.

Of several structures, which may differ in everything, replica i begins with the i-th in the order of the file, at the
i-th temperature.

What has become of a crystal is judged by the sites of the structure in ``reference.npz``, where there is one, and else
of the structure that was given: a job that begins with a snapshot of another run gives the crystal with which that
began.

Everything that is kept between two steps is in a checkpoint (folder :data:`crucible_engine.wire.schema.RUN_FOLDER`),
written every ``checkpoint_interval`` steps or ``checkpoint_seconds``, before the walltime and on the signals
of :mod:`crucible_engine.job.process`. A job that finds one of its own goes on from it, and with a deterministic
model ends with the bits of one that was never interrupted.

Summary: ``n_replicas``, ``n_completed``, ``n_atoms`` (of several structures the largest number, and ``sizes``, one for
each replica), ``time_step`` (fs), ``resumed_from_step`` (steps of all replicas that an earlier job had done; ``null``
for a fresh start), ``steps_done``, ``steps_total``, ``size`` (bytes, see
:func:`crucible_engine.tasks.dynamics.output.estimate_size`), ``forces`` (``conservative``, ``direct`` or ``both``;
where parameters choose), ``warnings``, ``not_run`` (labels, of a sequence that
lost its crystal), and ``replicas``: for each label (``replica_0`` …) ``temperature``, ``final_temperature``,
``outcome``, ``step`` (the last one), ``steps``, ``found_at_step``, ``start`` (what acts on the geometry at step 0:
``largest_force``, eV/Å, ``pressure`` and ``stress``, GPa; ``null`` where the model has no finite answer), ``evidence``,
of several structures ``structure`` (its label), and of those that are done ``averages`` (mean and standard deviation of
the series' rows from ``from_step`` on) and ``conserved_drift`` (eV/(atom ps)).

``arrays.npz``, for replica i: ``series_i`` float64 [n_rows, columns of
:data:`crucible_engine.wire.schema.SERIES_COLUMNS`]; ``frame_steps_i`` int64 [n], ``frame_cells_i`` float64 [n, 3, 3],
``frame_positions_i`` float32 [n, n_atoms, 3] (not wrapped) and where asked for ``frame_forces_i`` (eV/Å),
``frame_velocities_i`` (Å/fs): at most ``retrieved_frames`` of them, evenly spaced; and once it is done
``mean_positions_i`` [n_atoms, 3], ``mean_square_displacements_i`` [n_atoms, 3] (Å²), ``mean_cell_i`` [3, 3],
``final_positions_i``, ``final_cell_i``, ``final_velocities_i`` (Å/fs). All frames stay in the run folder as
``frames-i.npy`` (``numpy.load(…, mmap_mode="r")``).
"""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any

from numpy.typing import NDArray

from crucible_engine.families.base import Model
from crucible_engine.job.checkpoints import Checkpoints
from crucible_engine.job.context import Context, Progress, TaskResult
from crucible_engine.tasks.dynamics.backend import calculators_of
from crucible_engine.tasks.dynamics.checkpoint import require_checkpoint
from crucible_engine.tasks.dynamics.output import (
    average_series,
    conserved_drift,
    estimate_size,
    read_series,
    write_output,
    write_result,
)
from crucible_engine.tasks.dynamics.parameters import time_step_warning
from crucible_engine.tasks.dynamics.replica import Replica
from crucible_engine.tasks.dynamics.settings import Settings
from crucible_engine.tasks.dynamics.starts import Starts
from crucible_engine.wire.results import Interrupted
from crucible_engine.wire.schema import (
    ARRAYS_FILE,
    LOST_OUTCOMES,
    OUTCOMES_OF_DYNAMICS,
    REFERENCE_FILE,
    RUN_FOLDER,
    STRUCTURES_FILE,
    Job,
)

LEAST_MARGIN, LARGEST_MARGIN = 5.0, 60.0
"""Seconds before the walltime at which a run stops by itself: a twentieth of it, but no less and no more than these."""


def run(job: Job, model: Model, context: Context) -> TaskResult:
    """Run the replicas of a job one after the other, from where an earlier run of it was stopped.

    :raises EngineError: ``INVALID_JOB``, if a checkpoint is of another run or damaged; ``INTERRUPTED``, before the
        walltime.
    """
    _be_reproducible()
    return _Run(job, model, context).run()


class _Run:
    """A job on its way."""

    def __init__(self, job: Job, model: Model, context: Context) -> None:
        self._settings = Settings(**job.parameters)
        self._context, self._model = context, model
        self._folder = context.folder / RUN_FOLDER
        self._folder.mkdir(exist_ok=True)
        self._starts = Starts(
            context.folder / STRUCTURES_FILE, context.folder / REFERENCE_FILE, self._settings, self._folder
        )
        self._checkpoints = Checkpoints(self._folder, context.identity)
        found = self._checkpoints.read()
        if found is not None:
            require_checkpoint(found[0], self._folder, self._starts.sizes, self._settings)
        self._scalars, self._arrays = found or ({"done": {}, "rows_of_done": {}}, {})
        self._done: dict[str, dict[str, Any]] = self._scalars["done"]
        self._rows: dict[int, tuple[int, int]] = {int(k): tuple(v) for k, v in self._scalars["rows_of_done"].items()}
        self._steps_before = self._steps_done(self._scalars.get("step", 0)) if found else None
        self._threads_before: int | None = self._scalars.get("threads")
        context.threads.fix(self._threads_before)
        self._calculators = calculators_of(job, model, context)
        total = self._settings.steps * len(self._settings.temperatures)
        self._progress: Progress = context.progress(job, total, self._steps_before or 0)
        self._began, self._fresh = time.monotonic(), 0
        self._written = time.monotonic()
        self._slowest = 0.0
        self._running: Replica | None = None

    def run(self) -> TaskResult:
        try:
            self._run_replicas()
        except (Exception, Interrupted):
            self._keep_what_is_done()
            raise
        self._context.finish()
        self._write_arrays()
        return TaskResult(self._outcome(), self._summary(None))

    def _run_replicas(self) -> None:
        first = len(self._done)
        for index in range(first, len(self._settings.temperatures)):
            if not self._can_begin(index):
                break
            state = (self._scalars, self._arrays) if index == first and "step" in self._scalars else None
            # A signal is raised once the checkpoint is written: nothing is cut in the middle of a step.
            with self._context.interruption.deferred():
                self._run_replica(index, state)

    def _run_replica(self, index: int, state: tuple[dict[str, Any], dict[str, NDArray[Any]]] | None) -> None:
        replica = Replica(
            index,
            self._starts.of(index),
            self._calculators.new(),
            sites=self._starts.sites_of(index),
            settings=self._settings,
            folder=self._folder,
            state=state,
        )
        self._running = replica
        try:
            replica.begin()
            while not replica.done:
                self._step(replica)
                if self._context.must_stop(self._margin()):
                    self._stop(replica)
                    return
            self._finish(replica)
            self._running = None
        finally:
            replica.close()

    def _step(self, replica: Replica) -> None:
        began, before = time.monotonic(), replica.step
        replica.advance()
        self._fresh += replica.step - before
        now = time.monotonic()
        self._slowest = max(self._slowest, now - began)
        if self._is_checkpoint_due(before, replica.step, now):
            self._write_checkpoint(replica)
            if self._calculators.remember:
                replica.use(self._calculators.new())
        if self._progress.is_due:
            rate = self._fresh / (now - self._began)
            self._progress.report(
                self._steps_done(replica.step),
                replica=f"replica_{replica.index}",
                step=replica.step,
                temperature=round(replica.temperature, 1),
                target=self._settings.target(replica.index, replica.step),
                ns_per_day=round(rate * self._settings.time_step * 0.0864, 4),
                outcome=replica.describe()["outcome"],
            )

    def _is_checkpoint_due(self, before: int, step: int, now: float) -> bool:
        interval = self._settings.checkpoint_interval
        if step // interval > before // interval:
            return True
        return not self._calculators.remember and now - self._written > self._settings.checkpoint_seconds

    def _write_checkpoint(self, replica: Replica | None) -> None:
        scalars, arrays = replica.state() if replica else ({}, {})
        scalars |= {"done": self._done, "rows_of_done": {str(k): v for k, v in self._rows.items()}}
        scalars["threads"] = self._threads_before or self._context.threads.count
        self._checkpoints.write(scalars, arrays)
        self._written = time.monotonic()

    def _finish(self, replica: Replica) -> None:
        """Keep what a replica that has come to its end leaves."""
        scalars, _ = replica.state()
        rows = tuple(scalars["rows"])
        write_result(self._folder, replica.index, replica.result())
        self._rows[replica.index] = rows
        series = read_series(self._folder, replica.index, rows[0])
        self._done[f"replica_{replica.index}"] = {
            **self._describe(replica),
            "averages": average_series(series, self._settings),
            "conserved_drift": conserved_drift(series, len(replica.atoms)),
        }
        self._write_checkpoint(None)
        self._progress.report(self._steps_done(0), replica=f"replica_{replica.index}", step=replica.step)

    def _stop(self, replica: Replica) -> None:
        """Write down where the run is; the caller's block raises what stops it."""
        if not self._calculators.remember:
            self._write_checkpoint(replica)
            self._rows[replica.index] = tuple(replica.state()[0]["rows"])
        self._write_arrays()
        self._context.unfinished.update(self._summary(replica))
        self._context.raise_if_out_of_time(self._margin())

    def _keep_what_is_done(self) -> None:
        """Let a job that fails give the replicas before, and say at which one it failed."""
        self._context.finish()
        if self._context.unfinished:
            return
        # Why the job failed is what is to be told, and the run folder has it all.
        with contextlib.suppress(Exception):
            self._context.unfinished.update(self._summary(self._running))
            self._write_arrays()

    def _can_begin(self, index: int) -> bool:
        """Return whether there is a crystal for a replica to begin with."""
        if self._settings.start == "independent" or index == 0:
            return True
        return self._done[f"replica_{index - 1}"]["outcome"] not in LOST_OUTCOMES

    def _not_run(self) -> list[str]:
        """Return the replicas that will never begin."""
        done = len(self._done)
        if done == 0 or done == len(self._settings.temperatures) or self._can_begin(done):
            return []
        return [f"replica_{index}" for index in range(done, len(self._settings.temperatures))]

    def _write_arrays(self) -> None:
        done = {int(label.rpartition("_")[2]) for label in self._done}
        if not self._rows:
            return
        write_output(self._context.folder / ARRAYS_FILE, self._folder, self._rows, self._settings, done)

    def _steps_done(self, step: int) -> int:
        """Return the steps of all replicas; one that ended early counts as whole."""
        return int(self._settings.steps * len(self._done) + step)

    def _margin(self) -> float:
        margin = min(max((self._context.walltime or 0.0) / 20, LEAST_MARGIN), LARGEST_MARGIN)
        return margin + 2 * self._slowest

    def _outcome(self) -> str:
        outcomes: list[str] = [replica["outcome"] for replica in self._done.values()]
        return max(outcomes, key=OUTCOMES_OF_DYNAMICS.index)

    def _summary(self, running: Replica | None) -> dict[str, Any]:
        settings = self._settings
        replicas = dict(self._done)
        if running is not None:
            replicas[f"replica_{running.index}"] = self._describe(running)
        sizes = self._starts.sizes
        return {
            "n_replicas": len(settings.temperatures),
            "n_completed": len(self._done),
            "n_atoms": max(sizes),
            **({"sizes": sizes} if self._starts.are_several else {}),
            "time_step": settings.time_step,
            "resumed_from_step": self._steps_before,
            "steps_done": self._steps_done(running.step if running else 0),
            "steps_total": settings.steps * len(settings.temperatures),
            "size": estimate_size(sizes, settings),
            **self._calculators.describe(),
            "warnings": self._warnings(),
            "not_run": self._not_run(),
            "replicas": replicas,
        }

    def _describe(self, replica: Replica) -> dict[str, Any]:
        return {**self._starts.describe(replica.index), **replica.describe()}

    def _warnings(self) -> list[str]:
        found = [time_step_warning(self._settings.time_step, self._starts.lightest_mass)]
        before, now = self._threads_before, self._context.threads.count
        if before not in (None, now):
            found.append(
                f"begun with {before} CPU threads and continued with {now}: the last bits of sums, and so a trajectory "
                "in the long run, depend on that"
            )
        return [warning for warning in found if warning]


def _be_reproducible() -> None:
    """Let torch, where it is loaded, give the same bits for the same numbers with as many threads."""
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.use_deterministic_algorithms(True, warn_only=True)

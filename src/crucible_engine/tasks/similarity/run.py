"""The task ``similarity``: the kernel between frames of samplers, a map of them, and how much samplers overlap.

A frame's label says whose it is: ``sampler/frame``. Every finished tile of the kernel is in the journal, so that a job
that is begun again computes no pair twice and ends with the same bits.

Summary: ``n_frames``, ``samplers`` (name → ``given`` and ``chosen`` frames), ``n_features`` (of a SOAP descriptor),
``n_pairs``, ``n_resumed`` (pairs taken over from an earlier run), ``n_tiles``, ``descriptor_bytes``, ``explained``
(share of the variance of each component), ``overlaps`` (for each two samplers ``first``, ``second`` and what
:class:`crucible_engine.tasks.similarity.maps.Overlap` has; only of samplers with two chosen frames or more).

Arrays: ``kernel`` float64 [n, n], normalised by √(k_ii k_jj); ``self_similarities`` float64 [n], the k_ii;
``coordinates`` float64 [n, n_components]; ``variances`` float64 [n_components]; ``sampler`` int64 [n], an index into
the summary's ``samplers``; ``frame`` int64 [n], the place in that sampler's trajectory; ``n_atoms`` int64 [n].
"""

from __future__ import annotations

import itertools
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crucible_engine.job.context import Context, TaskResult
from crucible_engine.tasks.similarity.descriptors import BlockStore, Describer
from crucible_engine.tasks.similarity.frames import Chosen, Samplers, choose, survey_samplers
from crucible_engine.tasks.similarity.gpu import GpuTileMaker, find_device
from crucible_engine.tasks.similarity.maps import Map, kernel_map, overlap_of
from crucible_engine.tasks.similarity.plan import Plan, make_plan, require_memory
from crucible_engine.tasks.similarity.rematch import Floats
from crucible_engine.tasks.similarity.tiles import Match, TileMaker
from crucible_engine.wire.arrays import Member, write_arrays
from crucible_engine.wire.journal import Record, read_journal
from crucible_engine.wire.records import tile_check
from crucible_engine.wire.schema import (
    ARRAYS_FILE,
    RUN_FOLDER,
    STRUCTURES_FILE,
    TILE,
    Condition,
    EngineError,
    Job,
)

LARGEST = 1.0 + 1e-6
"""A similarity is a mean of products of unit vectors; what a damaged journal gives may be anything."""
MARGIN = 10.0
"""Seconds before the walltime at which a job stops by itself, besides the longest tile so far."""


def run(job: Job, model: None, context: Context) -> TaskResult:
    """Compare the frames of a job, from where an earlier run of it was stopped.

    :raises EngineError: ``INVALID_JOB``, ``INVALID_STRUCTURE``, ``OUT_OF_MEMORY``; ``INTERRUPTED`` before the walltime.
    """
    del model
    return _Comparison(job, context).run()


class _Comparison:
    """A job on its way."""

    def __init__(self, job: Job, context: Context) -> None:
        self._job, self._context, self._parameters = job, context, job.parameters
        self._structures = context.folder / STRUCTURES_FILE
        require_memory(self._parameters["memory"])
        self._found: Samplers = survey_samplers(self._structures, self._parameters["mixed_compositions"])
        self._describer = Describer(self._parameters, sorted(self._found.species))
        self._chosen: Chosen = choose(
            self._structures, self._found, self._parameters, lambda atoms: self._describe(atoms).mean(axis=0)
        )
        self._sizes = [len(frame) for frame in self._chosen.frames]
        self._plan: Plan = make_plan(
            self._sizes, self._describer.n_features, self._parameters["memory"], context.threads.count
        )
        context.unfinished.update(self._summary(0))

    def run(self) -> TaskResult:
        resumed = self._compute_tiles()
        kernel, self_similarities = self._assemble()
        mapped = kernel_map(kernel, min(self._parameters["components"], len(kernel) - 1))
        overlaps = self._overlaps(kernel)
        self._context.finish()
        self._write(kernel, self_similarities, mapped)
        summary = self._summary(resumed)
        summary["explained"] = mapped.explained.tolist()
        summary["overlaps"] = overlaps
        return TaskResult("mapped", summary)

    def _compute_tiles(self) -> int:
        """Bring the journal to its end; return how many pairs it had."""
        folder = self._run_folder()
        store = BlockStore(self._plan, lambda index: self._describe(self._chosen.frames[index]), folder)
        journal = self._context.open_journal(tile_check(self._plan.tile_shapes()))
        done = {tuple(record.fields["tile"]) for record in read_journal(self._context.journal_path)[1]}
        resumed = pairs = sum(self._plan.pairs_of(tile) for tile in self._plan.tiles() if tile in done)
        progress = self._context.progress(self._job, self._plan.n_pairs, resumed)
        settings = Match(self._parameters["alpha"], self._parameters["threshold"])
        longest = 0.0
        try:
            with self._tile_maker(settings) as maker:
                for tile in self._plan.tiles():
                    if tile in done:
                        continue
                    began = time.monotonic()
                    first, second = tile
                    similarities = maker.make(
                        store.get(first), store.get(second), first == second, lambda: self._pause(0.0)
                    )
                    self._context.append(journal, Record(TILE, {"tile": list(tile)}, {"similarities": similarities}))
                    longest = max(longest, time.monotonic() - began)
                    pairs += self._plan.pairs_of(tile)
                    progress.report(pairs)
                    self._pause(longest)
        finally:
            with self._context.interruption.deferred():
                journal.close()
                store.clear()
        return resumed

    def _tile_maker(self, settings: Match) -> TileMaker | GpuTileMaker:
        device = find_device(self._job.device)
        return TileMaker(settings, self._plan.workers) if device == "cpu" else GpuTileMaker(settings, device)

    def _describe(self, atoms: Any) -> Floats:
        self._pause(0.0)
        return self._describer.describe(atoms)

    def _pause(self, longest: float) -> None:
        """Stop here if the job was asked to, or has no time for more."""
        self._context.between_steps()
        self._context.raise_if_out_of_time(MARGIN + 2 * longest)

    def _run_folder(self) -> Path:
        """Return the folder for descriptors that the memory does not hold.

        :raises EngineError: ``DISK_FULL``, if the disk cannot hold them either.
        """
        folder = self._context.folder / RUN_FOLDER
        folder.mkdir(exist_ok=True)
        if self._plan.resident < len(self._plan.blocks):
            free = shutil.disk_usage(folder).free
            if free < self._plan.descriptor_bytes:
                raise EngineError(
                    Condition.DISK_FULL,
                    f"the descriptors take {self._plan.descriptor_bytes / 1e9:.3g} GB, but the disk has "
                    f"{free / 1e9:.3g} GB left: raise memory, or choose fewer frames",
                )
        return folder

    def _assemble(self) -> tuple[Floats, Floats]:
        """Return the normalised kernel and the similarity of each frame with itself."""
        n_frames = self._plan.n_frames
        kernel = np.empty((n_frames, n_frames))
        for record in read_journal(self._context.journal_path)[1]:
            first, second = (list(self._plan.blocks[index].frames) for index in record.fields["tile"])
            kernel[np.ix_(first, second)] = record.arrays["similarities"]
            kernel[np.ix_(second, first)] = record.arrays["similarities"].T
        self_similarities = np.diagonal(kernel).copy()
        broken = ~(np.abs(kernel) <= LARGEST)
        with np.errstate(all="ignore"):
            lengths = np.sqrt(self_similarities)
            kernel /= np.outer(lengths, lengths)
        broken |= ~(np.abs(kernel) < 1e6)
        if broken.any():
            raise EngineError(
                Condition.INVALID_JOB,
                f"the kernel is no similarity for {int(broken.sum())} of {kernel.size} pairs: alpha "
                f"({self._parameters['alpha']:g}) is too small for environments this different, or the journal is "
                "damaged; raise alpha, or run the job in an empty folder",
            )
        return kernel, self_similarities

    def _write(self, kernel: Floats, self_similarities: Floats, mapped: Map) -> None:
        names = list(self._found.counts)
        arrays: dict[str, NDArray[Any]] = {
            "kernel": kernel,
            "self_similarities": self_similarities,
            "coordinates": mapped.coordinates,
            "variances": mapped.variances,
            "sampler": np.array([names.index(sampler) for sampler in self._chosen.samplers], dtype=np.int64),
            "frame": self._chosen.indices.astype(np.int64),
            "n_atoms": np.array(self._sizes, dtype=np.int64),
        }
        members = {name: Member(array.dtype, array.shape, [array]) for name, array in arrays.items()}
        write_arrays(self._context.folder / ARRAYS_FILE, members)

    def _overlaps(self, kernel: Floats) -> list[dict[str, Any]]:
        samplers = np.array(self._chosen.samplers)
        several = [name for name in self._found.counts if (samplers == name).sum() > 1]
        overlaps = []
        for first, second in itertools.combinations(several, 2):
            own = np.flatnonzero((samplers == first) | (samplers == second))
            found = overlap_of(kernel[np.ix_(own, own)], samplers[own] == first, self._parameters["seed"])
            overlaps.append({"first": first, "second": second, **asdict(found)})
        return overlaps

    def _summary(self, resumed: int) -> dict[str, Any]:
        return {
            "n_frames": self._plan.n_frames,
            "samplers": {
                name: {"given": given, "chosen": self._chosen.samplers.count(name)}
                for name, given in self._found.counts.items()
            },
            "n_features": self._plan.n_features,
            "n_pairs": self._plan.n_pairs,
            "n_resumed": resumed,
            "n_tiles": sum(1 for _ in self._plan.tiles()),
            "descriptor_bytes": self._plan.descriptor_bytes,
        }

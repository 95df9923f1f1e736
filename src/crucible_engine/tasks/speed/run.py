"""The task ``speed``: time and memory of force calls against the number of atoms.

Outcome: ``measured``. Summary: ``sizes``, by label of the structure a list with an entry for each of ``repeats``:

- ``repeat`` and ``n_atoms``;
- ``outcome``: ``measured``; ``out-of-memory`` (a single call did not fit); ``killed`` (the process was ended twice
  while this size was measured, as an operating system does that has no memory left); ``not-tried`` (``reason`` says
  why: a smaller one ended so, or it would have taken longer than ``patience``);
- ``first_call``: seconds, with what packages put off until they are called (compilation, memory, kernels);
- ``milliseconds_per_step``: median of the later calls by ASE's calculator, one structure that moves a little from
  call to call; ``fastest`` and ``slowest`` of them; ``with_warm_up``: the mean of all calls, the first among them;
- ``batches``: ``size`` and ``milliseconds_per_structure`` (median) of as many structures at once through the family's
  batching; empty where none was tried;
- ``peak_memory`` (MiB, resident, of the whole process while the size was measured; of the process so far where the
  system cannot tell) and ``peak_device_memory`` (MiB that torch held on a GPU; null on a CPU);
- ``threads``: how many the process used.

What the largest sizes do is a result: a process that ran out of memory or was killed goes on from its journal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ase import Atoms

from crucible_engine.families.base import Model
from crucible_engine.job.context import Context, TaskResult
from crucible_engine.tasks.speed.timing import Timing, time_size
from crucible_engine.wire.journal import Record, read_journal
from crucible_engine.wire.records import SIZE_BEGUN, SIZE_LEFT, SIZE_TIMED, speed_check
from crucible_engine.wire.results import Interrupted
from crucible_engine.wire.schema import STRUCTURES_FILE, Job
from crucible_engine.wire.structures import read_structures

DEATHS = 2
"""So often is a size begun: whoever is killed for its memory twice is killed for it a third time."""


def run(job: Job, model: Model, context: Context) -> TaskResult:
    """Time the sizes of a job, from where an earlier run of it was stopped."""
    repeats = job.parameters["repeats"]
    structures = list(read_structures(context.folder / STRUCTURES_FILE))
    tasks = [(index, label, atoms, n) for index, (label, atoms) in enumerate(structures) for n in repeats]
    journal = context.open_journal(speed_check(len(structures), repeats))
    found, begun = _found_before(context)
    progress = context.progress(job, len(tasks), len(found))
    timing = Timing.from_parameters(job.parameters)
    try:
        for index, label, atoms, repeat in tasks:
            key = (index, repeat)
            if key not in found:
                place: dict[str, Any] = {
                    "index": index,
                    "repeat": repeat,
                    "n_atoms": len(atoms) * repeat ** int(atoms.pbc.sum()),
                }
                before = [found[index, n] for n in repeats if (index, n) in found and n < repeat]
                reason = _hopeless(before, place["n_atoms"], timing)
                if reason is None and begun[key] < DEATHS:
                    context.append(journal, Record(SIZE_BEGUN, place))
                    try:
                        entry = time_size(model, atoms, repeat, timing, context.between_steps)
                    except Interrupted:
                        context.append(journal, Record(SIZE_LEFT, place))
                        raise
                    entry["threads"] = context.threads.count
                elif reason is None:
                    said = f"the process was ended {DEATHS} times while it was measured: it seems to lack memory"
                    entry = {"outcome": "killed", "reason": said}
                else:
                    entry = {"outcome": "not-tried", "reason": reason}
                found[key] = {**place, **entry}
                context.append(journal, Record(SIZE_TIMED, found[key]))
            progress.report(len(found), at=f"{label}, {found[key]['n_atoms']} atoms")
            context.between_steps()
    finally:
        with context.interruption.deferred():
            journal.close()
    context.finish()
    return TaskResult("measured", {"sizes": dict(_by_label(structures, found, repeats))})


def _found_before(context: Context) -> tuple[dict[tuple[int, int], dict[str, Any]], Counter[tuple[int, int]]]:
    """Return what an earlier run of the job had timed, and how often it had begun with each size."""
    found, begun = {}, Counter[tuple[int, int]]()
    for record in read_journal(context.journal_path)[1]:
        key = (record.fields["index"], record.fields["repeat"])
        if record.kind == SIZE_BEGUN:
            begun[key] += 1
        elif record.kind == SIZE_LEFT:
            begun[key] -= 1
        else:
            found[key] = record.fields
    return found, begun


def _hopeless(before: list[dict[str, Any]], n_atoms: int, timing: Timing) -> str | None:
    """Return why a size is not tried: what became of the next smaller one; ``None`` where it is."""
    if not before:
        return None
    last = before[-1]
    if last["outcome"] == "not-tried":
        return str(last["reason"])
    if last["outcome"] != "measured":
        return f"{last['n_atoms']} atoms did not fit into the memory"
    expected = timing.least_calls * last["milliseconds_per_step"] / 1000 * n_atoms / last["n_atoms"]
    if expected > timing.patience:
        return f"{timing.least_calls} calls would take some {expected:.0f} s: more than patience, {timing.patience:g} s"
    return None


def _by_label(
    structures: list[tuple[str, Atoms]], found: dict[tuple[int, int], dict[str, Any]], repeats: list[int]
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for index, (label, _) in enumerate(structures):
        entries = [found[index, repeat] for repeat in repeats]
        yield label, [{name: value for name, value in entry.items() if name != "index"} for entry in entries]

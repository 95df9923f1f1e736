"""Evaluate a stream of structures in batches whose size is found by itself and halved when memory runs out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ase import Atoms

from crucible_engine.families.base import Evaluation, Model
from crucible_engine.wire.schema import Condition, EngineError

Labelled = tuple[str, Atoms]


@dataclass(frozen=True)
class Batch:
    """Structures that were evaluated together.

    :param start: index of the first one, counted from the first structure that was given.
    :param labels: the name of each.
    :param evaluations: what the model says of each, in order.
    """

    start: int
    labels: list[str]
    evaluations: list[Evaluation]

    @property
    def size(self) -> int:
        """Number of structures in the batch."""
        return len(self.evaluations)


def evaluate_structures(
    model: Model, structures: Iterable[Labelled], batch_size: int | None = None, stress: bool = True
) -> Iterator[Batch]:
    """Evaluate structures batch by batch, holding one batch in memory at a time.

    On a CPU the batches depend on nothing but the structures from where the stream starts: a job that resumes behind
    a finished batch computes the same batches, and so the same numbers to the last bit. On a GPU the size grows while
    the throughput does.

    :param model: the loaded potential.
    :param structures: pairs of label and structure, read as they are needed.
    :param batch_size: structures at once; ``None`` finds the fastest.
    :param stress: whether stresses are wanted.
    :raises EngineError: ``UNSUPPORTED_ELEMENT`` with the structure's label; ``OUT_OF_MEMORY``, if a single structure
        does not fit.
    """
    limit = _limit(model, batch_size)
    start = 0
    for batch in _batches(model, structures, limit):
        for part in _evaluate(model, batch, stress, limit):
            yield Batch(start, *part)
            start += len(part[0])


class Limit:
    """How much goes into a batch: a number of structures, of atoms, or both.

    :param structures: at most so many structures.
    :param atoms: at most so many atoms, though always one structure.
    """

    def __init__(self, structures: int | None = None, atoms: int | None = None) -> None:
        self.structures = structures
        self.atoms = atoms

    def admits(self, structures: int, atoms: int) -> bool:
        """Tell whether a batch of this many structures and atoms is within the limit."""
        too_many = self.structures is not None and structures > self.structures
        too_large = self.atoms is not None and atoms > self.atoms
        return structures <= 1 or not (too_many or too_large)

    def halve(self, structures: int) -> None:
        """Keep later batches to half of one that did not fit."""
        self.structures = max(1, structures // 2)

    def record(self, atoms: int, seconds: float) -> None:
        """Learn how long a full batch took; a fixed limit learns nothing."""


class GrowingLimit(Limit):
    """A limit that doubles while the throughput improves, for devices whose memory and width are not known before.

    :param atoms: where to start.
    :param gain: factor by which the throughput has to grow for another doubling.
    """

    def __init__(self, atoms: int, gain: float = 1.1) -> None:
        super().__init__(atoms=atoms)
        self._gain = gain
        self._best = 0.0
        self._warm = False
        self._settled = False

    def halve(self, structures: int) -> None:
        """Keep later batches to half of one that did not fit, and stop growing."""
        super().halve(structures)
        self._settled = True

    def record(self, atoms: int, seconds: float) -> None:
        """Double the limit, keep it, or go back to the last one."""
        if self._settled or self.atoms is None:
            return
        if not self._warm:  # The first batch of a size pays for memory and kernels that the next ones reuse.
            self._warm = True
            return
        throughput = atoms / seconds
        if throughput > self._gain * self._best:
            self._best, self._warm = throughput, False
            self.atoms *= 2
        else:
            self._settled = True
            self.atoms //= 2


def _limit(model: Model, batch_size: int | None) -> Limit:
    if batch_size is not None:
        return Limit(structures=batch_size)
    if model.device == "cpu":
        return Limit(atoms=model.atoms_per_batch())
    return GrowingLimit(model.atoms_per_batch())


def _batches(model: Model, structures: Iterable[Labelled], limit: Limit) -> Iterator[tuple[list[Labelled], bool]]:
    """Yield batches, each with whether it is full (the stream's last one need not be)."""
    batch: list[Labelled] = []
    n_atoms = 0
    for label, atoms in structures:
        _require_elements(model, label, atoms)
        if batch and not limit.admits(len(batch) + 1, n_atoms + len(atoms)):
            yield batch, True
            batch, n_atoms = [], 0
        batch.append((label, atoms))
        n_atoms += len(atoms)
    if batch:
        yield batch, False


def _require_elements(model: Model, label: str, atoms: Atoms) -> None:
    try:
        model.require_elements(atoms)
    except EngineError as error:
        raise EngineError(error.condition, f"structure {label!r}: {error.message}") from None


def _evaluate(
    model: Model, batch: tuple[list[Labelled], bool], stress: bool, limit: Limit
) -> Iterator[tuple[list[str], list[Evaluation]]]:
    members, full = batch
    labels = [label for label, _ in members]
    structures = [atoms for _, atoms in members]
    begin = time.perf_counter()
    try:
        evaluations = model.evaluate_batch(structures, stress)
    except MemoryError as error:
        if len(members) == 1:
            raise EngineError(
                Condition.OUT_OF_MEMORY,
                f"structure {labels[0]!r} with {len(structures[0])} atoms does not fit into the memory of "
                f"{model.device} even alone: use a smaller cell, float32, or a device with more memory",
            ) from error
    else:
        if full:
            limit.record(sum(map(len, structures)), time.perf_counter() - begin)
        yield labels, evaluations
        return
    # Outside the handler: the exception's traceback would keep the tensors of the failed attempt alive.
    limit.halve(len(members))
    middle = len(members) // 2
    for half in (members[:middle], members[middle:]):
        yield from _evaluate(model, (half, False), stress, limit)

"""Evaluate a stream of structures in batches whose size is found by itself and halved when memory runs out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from ase import Atoms

from crucible_engine.families.base import Evaluation, Model
from crucible_engine.wire.schema import Condition, EngineError

Labelled = tuple[str, Atoms]

GAIN = 1.1
"""Factor by which the throughput has to grow for another doubling of a batch."""


def evaluate_structures(
    model: Model, structures: Iterable[Labelled], batch_size: int | None = None, stress: bool = True
) -> Iterator[list[Evaluation]]:
    """Yield what a model says of structures, in their order and batch by batch; memory holds one batch at a time.

    On a CPU the batches depend on nothing but the structures from where the stream starts: a job that resumes behind
    a finished batch computes the same batches, and so the same numbers to the last bit. On a GPU the size grows while
    the throughput does.

    :param structures: pairs of label and structure, read as they are needed.
    :param batch_size: structures at once; ``None`` finds the fastest.
    :param stress: whether stresses are wanted.
    :raises EngineError: ``UNSUPPORTED_ELEMENT`` with the structure's label; ``OUT_OF_MEMORY``, if a single structure
        does not fit.
    """
    limit = _limit(model, batch_size)
    for members, is_full in _batches(model, structures, limit):
        yield from _evaluate(model, members, is_full, stress, limit)


class Limit:
    """How much goes into a batch: a number of structures, of atoms, or both.

    :param atoms: at most so many atoms, though always one structure.
    :param grows: whether the limit of atoms doubles while the throughput improves, for devices whose memory and width
        are not known before.
    """

    def __init__(self, structures: int | None = None, atoms: int | None = None, grows: bool = False) -> None:
        self.structures = structures
        self.atoms = atoms
        self._settled = not grows
        self._best = 0.0
        self._warm = False

    def admits(self, structures: int, atoms: int) -> bool:
        """Tell whether a batch of this many structures and atoms is within the limit."""
        too_many = self.structures is not None and structures > self.structures
        too_large = self.atoms is not None and atoms > self.atoms
        return structures <= 1 or not (too_many or too_large)

    def halve(self, structures: int) -> None:
        """Keep later batches to half of one that did not fit, and stop growing."""
        self.structures = max(1, structures // 2)
        self._settled = True

    def record(self, atoms: int, seconds: float) -> None:
        """Learn how long a full batch took: double the limit, keep it, or go back to the last one."""
        if self._settled or self.atoms is None:
            return
        if not self._warm:  # The first batch of a size pays for memory and kernels that the next ones reuse.
            self._warm = True
            return
        throughput = atoms / seconds
        if throughput > GAIN * self._best:
            self._best, self._warm = throughput, False
            self.atoms *= 2
        else:
            self._settled = True
            self.atoms //= 2


def _limit(model: Model, batch_size: int | None) -> Limit:
    if batch_size is not None:
        return Limit(structures=batch_size)
    return Limit(atoms=model.atoms_per_batch(), grows=model.device != "cpu")


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
    model: Model, members: list[Labelled], is_full: bool, stress: bool, limit: Limit
) -> Iterator[list[Evaluation]]:
    structures = [atoms for _, atoms in members]
    begin = time.perf_counter()
    try:
        evaluations = model.evaluate_batch(structures, stress)
    except MemoryError as error:
        if len(members) == 1:
            raise EngineError(
                Condition.OUT_OF_MEMORY,
                f"structure {members[0][0]!r} with {len(structures[0])} atoms does not fit into the memory of "
                f"{model.device} even alone: use a smaller cell, float32, or a device with more memory",
            ) from error
    else:
        if is_full:
            limit.record(sum(map(len, structures)), time.perf_counter() - begin)
        yield evaluations
        return
    # Outside the handler: the exception's traceback would keep the tensors of the failed attempt alive.
    limit.halve(len(members))
    middle = len(members) // 2
    for half in (members[:middle], members[middle:]):
        yield from _evaluate(model, half, False, stress, limit)

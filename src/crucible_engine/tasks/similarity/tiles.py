"""One tile of the kernel: the similarities of all frames of one block with all of another."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import numpy as np

from crucible_engine.tasks.similarity.plan import PANEL_ENTRIES
from crucible_engine.tasks.similarity.rematch import Array, Floats, match

PATIENCE = 1.0
"""Seconds between two looks at whether the job has to stop."""


@dataclass(frozen=True)
class Match:
    """How two frames are compared; see :func:`crucible_engine.tasks.similarity.rematch.match`."""

    alpha: float
    threshold: float


class StoppedError(Exception):
    """A thread was told to stop before its match had converged."""


class TileMaker:
    """Computes tiles with several threads.

    A panel of a tile is the work of one thread, BLAS's own threads being switched off: the numbers are then the same to
    the last bit whatever the number of threads.
    """

    def __init__(self, settings: Match, workers: int) -> None:
        self._settings = settings
        self._pool = ThreadPoolExecutor(workers, "tile")
        self._stop = threading.Event()
        self._blas = _one_thread_each()

    def __enter__(self) -> TileMaker:
        self._blas.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)
        self._blas.__exit__(None, None, None)

    def make(
        self, first: Floats, second: Floats, is_diagonal: bool, pause: Callable[[], None] = lambda: None
    ) -> Floats:
        """Return the similarities of two blocks, not normalised.

        :param first: descriptors of a block, [n_frames, n_atoms, n_features].
        :param is_diagonal: whether it is the same: only one half is computed then.
        :param pause: called about once a second; what it raises ends the work.
        :return: [n_frames of the first, n_frames of the second].
        """
        tile = np.empty((len(first), len(second)))

        def fill(panel: tuple[slice, slice]) -> None:
            rows, columns = panel
            tile[panel] = compare(first[rows], second[columns], self._settings, self._heed)

        waiting = {self._pool.submit(fill, panel) for panel in panels(first.shape[:2], second.shape[:2], is_diagonal)}
        while waiting:
            ended, waiting = wait(waiting, timeout=PATIENCE, return_when=FIRST_EXCEPTION)
            for future in ended:
                future.result()
            pause()
        return mirrored(tile) if is_diagonal else tile

    def _heed(self) -> None:
        if self._stop.is_set():
            raise StoppedError


def compare(first: Array, second: Array, settings: Match, pause: Callable[[], None], xp: Any = np) -> Array:
    """Return the similarities of some frames with others, [n_first, n_second], not normalised.

    :param first: descriptors, [n_first, n_atoms, n_features].
    :param pause: see :func:`crucible_engine.tasks.similarity.rematch.match`.
    :param xp: ``numpy`` or ``torch``, whose arrays they are.
    """
    (n_first, n, n_features), (n_second, m, _) = first.shape, second.shape
    products = first.reshape(n_first * n, n_features) @ second.reshape(n_second * m, n_features).T
    by_pair = products.reshape(n_first, n, n_second, m).swapaxes(1, 2)
    local = (np.ascontiguousarray(by_pair) if xp is np else by_pair.contiguous()).reshape(n_first * n_second, n, m)
    return match(local, settings.alpha, settings.threshold, pause, xp).reshape(n_first, n_second)


def panels(
    first: tuple[int, ...], second: tuple[int, ...], is_diagonal: bool, entries: int = PANEL_ENTRIES
) -> Iterator[tuple[slice, slice]]:
    """Yield the panels of a tile, as square as they may be.

    :param first: frames of the first block and atoms of each.
    :param is_diagonal: whether panels below the diagonal are left out.
    :param entries: local similarities of a panel at most, unless it is a single pair.
    """
    pairs = max(1, entries // (first[1] * second[1]))
    edge = max(1, int(pairs**0.5))
    starts = (range(0, first[0], edge), range(0, second[0], edge))
    for row, column in itertools.product(*starts):
        if not is_diagonal or row <= column:
            yield slice(row, row + edge), slice(column, column + edge)


def mirrored(tile: Floats) -> Floats:
    """Return a tile on the diagonal with its lower half taken from the upper one."""
    upper = np.triu(tile)
    return np.asarray(upper + np.triu(upper, 1).T)


def _one_thread_each() -> contextlib.AbstractContextManager[object]:
    """Return what keeps BLAS to one thread, where the package that can is there (scikit-learn brings it)."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return contextlib.nullcontext()
    limits: contextlib.AbstractContextManager[object] = threadpool_limits(1)
    return limits

"""Tiles of the kernel on a GPU, with torch; the numbers are those of :mod:`crucible_engine.tasks.similarity.rematch`.

Double precision, as everywhere else in a kernel: which rules out devices that have none.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crucible_engine.tasks.similarity.plan import FLOAT, PANEL_COPIES
from crucible_engine.tasks.similarity.rematch import ASKED_EVERY, UNTESTED_EVERY
from crucible_engine.tasks.similarity.tiles import Match, mirrored, panels
from crucible_engine.wire.schema import Condition, EngineError

Floats = NDArray[np.float64]
Tensor = Any  # torch is imported where it is used alone: most environments that compare frames have none

SHARE = 2
"""One part in so many of the GPU's free memory is what a panel may take."""


def find_device(wanted: str) -> str:
    """Return where to compute.

    :param wanted: ``auto`` (a GPU, where there is one that torch can use), ``cpu``, ``cuda``, ``cuda:1`` …
    :raises EngineError: ``DEVICE_UNAVAILABLE``, one line.
    """
    if wanted == "cpu":
        return "cpu"
    if wanted != "auto" and not wanted.startswith("cuda"):
        raise EngineError(
            Condition.DEVICE_UNAVAILABLE, f"device {wanted!r} has no double precision: similarity runs on cpu or cuda"
        )
    try:
        from crucible_engine.families.torch_support import resolve_device
    except ImportError:
        if wanted == "auto":
            return "cpu"
        raise EngineError(
            Condition.DEVICE_UNAVAILABLE,
            f"device {wanted!r} is not there: this environment has no torch; create it with `--torch cuda`",
        ) from None
    return resolve_device(wanted)


class GpuTileMaker:
    """Computes tiles as :class:`crucible_engine.tasks.similarity.tiles.TileMaker` does, on another device.

    :param settings: how frames are compared.
    :param device: torch's name of it.
    """

    def __init__(self, settings: Match, device: str) -> None:
        import torch

        self._settings, self._device, self._torch = settings, torch.device(device), torch

    def __enter__(self) -> GpuTileMaker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._device.type == "cuda":
            self._torch.cuda.empty_cache()

    def make(
        self, first: Floats, second: Floats, is_diagonal: bool, pause: Callable[[], None] = lambda: None
    ) -> Floats:
        """Return the similarities of two blocks, see :meth:`crucible_engine.tasks.similarity.tiles.TileMaker.make`.

        :raises EngineError: ``OUT_OF_MEMORY``, if the device has not enough for a pair.
        """
        tile = np.empty((len(first), len(second)))
        try:
            ours = self._torch.from_numpy(first).to(self._device)
            theirs = ours if is_diagonal else self._torch.from_numpy(second).to(self._device)
            for rows, columns in panels(first.shape[:2], second.shape[:2], is_diagonal, self._entries()):
                tile[rows, columns] = self._compare(ours[rows], theirs[columns], pause).cpu().numpy()
        except self._torch.OutOfMemoryError as error:
            raise EngineError(
                Condition.OUT_OF_MEMORY,
                f"the memory of {self._device} is not enough for frames of {first.shape[1]} atoms: use a device with "
                "more, or cpu",
            ) from error
        return mirrored(tile) if is_diagonal else tile

    def _entries(self) -> int:
        """Return how many local similarities the device has room for."""
        if self._device.type != "cuda":
            return 1 << 22
        free, _ = self._torch.cuda.mem_get_info(self._device)
        return int(free // (SHARE * PANEL_COPIES * FLOAT))

    def _compare(self, first: Tensor, second: Tensor, pause: Callable[[], None]) -> Tensor:
        """Return the similarities of some frames with others."""
        (n_first, n, n_features), (n_second, m, _) = first.shape, second.shape
        products = first.reshape(n_first * n, n_features) @ second.reshape(n_second * m, n_features).T
        local = products.reshape(n_first, n, n_second, m).permute(0, 2, 1, 3).reshape(n_first * n_second, n, m)
        return self._match(local.contiguous(), pause).reshape(n_first, n_second)

    def _match(self, local: Tensor, pause: Callable[[], None]) -> Tensor:
        """Return the similarity of each pair; see :func:`crucible_engine.tasks.similarity.rematch.match`."""
        torch = self._torch
        n_pairs, n, m = local.shape
        similarities = torch.empty(n_pairs, dtype=local.dtype, device=local.device)
        places = torch.arange(n_pairs, device=local.device)
        weights = torch.exp((local - 1.0) / self._settings.alpha)
        u, v = local.new_full((n_pairs, n), 1.0 / n), local.new_full((n_pairs, m), 1.0 / m)
        iteration = 0
        while len(places):
            before = u, v
            v = (1.0 / m) / torch.einsum("pi,pij->pj", u, weights)
            u = (1.0 / n) / torch.einsum("pij,pj->pi", weights, v)
            if iteration % UNTESTED_EVERY:
                # Written so that an error that is no number ends the iteration, as it does in dscribe.
                ended = ~(_change(u, before[0]) + _change(v, before[1]) > self._settings.threshold)
                if bool(ended.any()):
                    products = weights[ended] * local[ended]
                    similarities[places[ended]] = torch.einsum("pi,pij,pj->p", u[ended], products, v[ended])
                    goes_on = ~ended
                    places, weights, local, u, v = (part[goes_on] for part in (places, weights, local, u, v))
            iteration += 1
            if iteration % ASKED_EVERY == 0:
                pause()
        pause()
        return similarities


def _change(new: Tensor, old: Tensor) -> Tensor:
    """Return the squared change of each pair's vector in units of its squared norm, [n_pairs]."""
    return ((new - old) ** 2).sum(dim=1) / (new**2).sum(dim=1)

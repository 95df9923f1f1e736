"""Tiles of the kernel on a GPU, with torch; the numbers are those of :mod:`crucible_engine.tasks.similarity.rematch`.

Double precision, as everywhere else in a kernel: which rules out devices that have none.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from crucible_engine.tasks.similarity.plan import FLOAT, PANEL_COPIES
from crucible_engine.tasks.similarity.rematch import Floats
from crucible_engine.tasks.similarity.tiles import Match, compare, mirrored, panels
from crucible_engine.wire.schema import Condition, EngineError

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
    """Computes tiles as :class:`crucible_engine.tasks.similarity.tiles.TileMaker` does, on another device."""

    def __init__(self, settings: Match, device: str) -> None:
        import torch  # most environments that compare frames have none

        self._settings, self._device, self._torch = settings, torch.device(device), torch

    def __enter__(self) -> GpuTileMaker:
        return self

    def __exit__(self, *error: object) -> None:
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
                similarities = compare(ours[rows], theirs[columns], self._settings, pause, self._torch)
                tile[rows, columns] = similarities.cpu().numpy()
                pause()
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

"""How often Python looks for garbage while figures are drawn, each of which is some ten thousand objects."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

OBJECTS = 200_000
"""New objects after which the garbage collector looks."""


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Let the garbage collector pass over what is loaded, which takes a third of the time of a page."""
    before = gc.get_threshold()
    collect_rarely()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def collect_rarely() -> None:
    """Let the garbage collector pass over what is loaded, for as long as this process lives."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS, 10, 10)

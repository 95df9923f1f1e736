"""An ASE calculator whose process dies, or runs out of memory, at a chosen call, and only once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from crucible_engine.families.emt.adapter import OrderedEMT


class Mortal(OrderedEMT):
    """EMT that ends its own process.

    :param marker: path of a folder that is made at the death; where it exists nobody dies. (A file would be
        taken for weights.)
    :param call: at which calculation of a process the death comes, counted from 1.
    :param by: name of the signal, or ``MemoryError``, which is raised.
    """

    def __init__(self, marker: str, call: int, by: str = "SIGKILL"):
        super().__init__()
        self.marker, self.calls_left, self.by = Path(marker), call, by

    def calculate(self, *arguments, **keywords):
        self.calls_left -= 1
        if self.calls_left == 0 and not self.marker.exists():
            self.marker.mkdir()
            if self.by == "MemoryError":
                raise MemoryError
            os.kill(os.getpid(), getattr(signal, self.by))
        super().calculate(*arguments, **keywords)


def mortal(**arguments) -> Mortal:
    """Return the calculator."""
    return Mortal(**arguments)

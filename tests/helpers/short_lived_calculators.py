"""ASE calculators for runs that are watched and cut short: one whose every process dies, one that takes its time."""

from __future__ import annotations

import os
import signal
import time

from ase.calculators.emt import EMT


class ShortLived(EMT):
    """EMT whose process ends itself at a chosen calculation, every time.

    :param calls: at which calculation of a process the end comes, counted from 1.
    :param by: name of the signal.
    """

    calls_made = 0
    """Of the process: the engine copies calculators."""

    def __init__(self, calls: int, by: str = "SIGKILL"):
        super().__init__()
        self.calls, self.by = calls, by

    def calculate(self, *arguments, **keywords):
        ShortLived.calls_made += 1
        if ShortLived.calls_made == self.calls:
            os.kill(os.getpid(), getattr(signal, self.by))
        super().calculate(*arguments, **keywords)


class Slow(EMT):
    """EMT that sleeps before each calculation.

    :param seconds: how long.
    """

    def __init__(self, seconds: float):
        super().__init__()
        self.seconds = seconds

    def calculate(self, *arguments, **keywords):
        time.sleep(self.seconds)
        super().calculate(*arguments, **keywords)


def short_lived(**arguments) -> ShortLived:
    """Return the calculator."""
    return ShortLived(**arguments)


def slow(**arguments) -> Slow:
    """Return the calculator."""
    return Slow(**arguments)

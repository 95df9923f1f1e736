"""Signals that ask a job to stop, turned into one exception that never strikes in the middle of a write."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from crucible_engine.wire.diagnosis import Interrupted

SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
"""What schedulers, systems and people send: at the walltime, with ``scancel --signal`` or ``#SBATCH --signal``, with
Ctrl-C, where a terminal is closed, before a suspension (SGE) and where the time of the processor is used up."""


class Interruption:
    """Receives the signals of one process."""

    def __init__(self) -> None:
        self._received: str | None = None
        self._deferrals = 0
        self._settled = False

    def install(self) -> None:
        """Receive :data:`SIGNALS` from now on, but for a SIGHUP that ``nohup`` has taken away."""
        for name in SIGNALS:
            number = getattr(signal, name)
            if name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._received is None and not self._settled:
            self._received = signal.Signals(number).name
            self.check()

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Let what is being written be finished: a signal in the block is raised at its end."""
        self._deferrals += 1
        try:
            yield
        finally:
            self._deferrals -= 1
        self.check()

    @property
    def requested(self) -> bool:
        """Whether a signal has asked the job to stop."""
        return self._received is not None

    def check(self) -> None:
        """Raise :class:`Interrupted` if a signal came that could not be raised at once."""
        if self._received is not None and not self._deferrals and not self._settled:
            raise Interrupted(self._received)

    def settle(self) -> None:
        """Raise nothing any more: the work is done, or has failed, and what remains is to write that down."""
        self._settled = True

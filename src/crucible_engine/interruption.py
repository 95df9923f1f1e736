"""Signals that ask a job to stop, turned into one exception that never strikes in the middle of a write."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

SIGNALS = ("SIGTERM", "SIGINT", "SIGUSR1")
"""What schedulers and people send: at the walltime, with ``scancel --signal`` or ``#SBATCH --signal``, with Ctrl-C."""


class Interrupted(BaseException):
    """The job was asked to stop.

    It derives from ``BaseException`` like ``KeyboardInterrupt``, so that no ``except Exception`` of a model's package
    swallows it.

    :param signal_name: which signal asked, e.g. ``SIGTERM``.
    """

    def __init__(self, signal_name: str) -> None:
        super().__init__(signal_name)
        self.signal_name = signal_name


class Interruption:
    """Receives the signals of one process."""

    def __init__(self) -> None:
        self._received: str | None = None
        self._deferrals = 0

    def install(self) -> None:
        """Receive :data:`SIGNALS` from now on."""
        for name in SIGNALS:
            signal.signal(getattr(signal, name), self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._received is None:
            self._received = signal.Signals(number).name
            if not self._deferrals:
                raise Interrupted(self._received)

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
        if self._received is not None and not self._deferrals:
            raise Interrupted(self._received)

    def settle(self) -> None:
        """Raise nothing any more: the job is ending, and what remains is to say so."""
        self._deferrals += 1

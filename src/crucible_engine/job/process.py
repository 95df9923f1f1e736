"""What a process of the engine is told and what it says: signals that ask it to stop, and standard streams.

Signals are turned into one exception that never strikes in the middle of a write. Standard output and standard error
cannot fail: both often lie on the disk that has filled up, a scheduler or a person may have closed them, and a message
that is lost must not cost the results.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, TextIO

from crucible_engine.wire.results import Interrupted

SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
"""What schedulers, systems and people send: at the walltime, with ``scancel --signal`` or ``#SBATCH --signal``, with
Ctrl-C, where a terminal is closed, before a suspension (SGE) and where the time of the processor is used up."""

STANDARD_DESCRIPTORS = 3
"""Input, output and error."""


class Interruption:
    """Receives the signals of one process."""

    def __init__(self) -> None:
        self._received: str | None = None
        self._deferrals = 0
        self._ignores = False

    def install(self) -> None:
        """Receive :data:`SIGNALS` from now on, but for a SIGHUP that ``nohup`` has taken away."""
        for name in SIGNALS:
            number = getattr(signal, name)
            if name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._received is None and not self._ignores:
            self._received = signal.Signals(number).name
            self.check()

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Let a write finish: a signal that comes in the block is raised at its end."""
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
        if self._received is not None and not self._deferrals and not self._ignores:
            raise Interrupted(self._received)

    def ignore(self) -> None:
        """Raise nothing any more: the work is done, or has failed, and what remains is to write that down."""
        self._ignores = True


class UnfailingStream:
    """A text stream that swallows what the stream behind it cannot take.

    :param stream: the stream behind it; ``None``, as Python has it for one that was closed, takes nothing.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        with contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def unfailing_streams() -> Iterator[None]:
    """Let nothing that is printed, logged or warned of in the block raise an exception."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = UnfailingStream(sys.stdout), UnfailingStream(sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def occupy_standard_descriptors() -> None:
    """Open what was closed of the standard descriptors.

    A file of the job's that got the number 2 would be written to by every library that complains there.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < STANDARD_DESCRIPTORS:
        pass
    os.close(descriptor)


def say(message: str) -> None:
    """Write one line to standard error."""
    sys.stderr.write(f"crucible_engine: {message}\n")
    sys.stderr.flush()

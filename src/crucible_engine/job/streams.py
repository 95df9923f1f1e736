"""Standard output and standard error that cannot fail: no word is worth a job's results.

Both often lie on the disk that has filled up, and a scheduler or a person may have closed them.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

STANDARD_DESCRIPTORS = 3
"""Input, output and error."""


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
    """Say one line to whoever reads standard error."""
    sys.stderr.write(f"crucible_engine: {message}\n")
    sys.stderr.flush()

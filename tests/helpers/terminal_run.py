"""A command in a terminal of its own, at which somebody can press Ctrl-C and answer."""

from __future__ import annotations

import os
import pty
import re
import select
import time

STYLING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""What a terminal makes colours and places of."""


class TerminalRun:
    """A process with a pseudo-terminal.

    :param command: what to run.
    :param environment: its variables.
    """

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.said = ""
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            size = {"TERM": "xterm-256color", "COLUMNS": "200", "LINES": "60"}
            os.execvpe(command[0], command, {**environment, **size})
        self._status: int | None = None

    def wait_for(self, text: str, seconds: float = 240.0) -> None:
        """Read until what matches an expression was said since the last call; fail when it is not."""
        start, end = len(self.said), time.monotonic() + seconds
        while not re.search(text, STYLING.sub("", self.said[start:])):
            if not self._read() or time.monotonic() > end:
                raise AssertionError(f"{text!r} was not said, but: {self.said[-3000:]}")

    def type(self, text: str) -> None:
        """Type something; ``\\x03`` is Ctrl-C."""
        os.write(self._terminal, text.encode())

    def end(self) -> int:
        """Read to the end and return the exit status."""
        while self._read():
            pass
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self._status

    def _read(self) -> bool:
        """Read what there is; return whether there may be more."""
        ready, _, _ = select.select([self._terminal], [], [], 1.0)
        if not ready:
            return True
        try:
            piece = os.read(self._terminal, 65536)
        except OSError:  # of a terminal whose process has ended
            return False
        self.said += piece.decode(errors="replace")
        return bool(piece)

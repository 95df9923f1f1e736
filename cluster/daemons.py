"""Daemons in a folder of their own: started in the background, and ended by their process ids, nobody else's."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/sbin")
"""Where daemons are, and where a user's PATH rarely looks."""


class UnavailableError(RuntimeError):
    """Something cannot run on this machine; the message is one line that says why."""


def find_program(name: str, package: str) -> str:
    """Return the absolute path of a program.

    :param package: Debian's package that has it.
    :raises UnavailableError: if it is missing.
    """
    path = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS]))
    if path is None:
        raise UnavailableError(f"no {name} on this machine (apt install {package})")
    return path


def free_ports(count: int) -> list[int]:
    """Return ports on the loopback interface that nobody listens on."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def answers(port: int) -> bool:
    """Return whether something listens on a port of the loopback interface."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Callable[[], bool], seconds: float, interval: float = 0.05) -> bool:
    """Return whether a condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


class Daemons:
    """The daemons whose files lie in one folder.

    :param folder: exists; every daemon's command line has to name it, which tells it from a stranger with its old id.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, name: str, command: Sequence[str], ready: Callable[[], bool], seconds: float = 20.0) -> None:
        """Start a program that stays in the foreground, in a session of its own, and wait until it is ready.

        :raises UnavailableError: if it ends or is not ready in time; with the last line that it wrote.
        """
        log = self.folder / f"{name}.out"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True
            )
        self._pid_file(name).write_text(str(process.pid))
        if not wait_until(lambda: process.poll() is not None or ready(), seconds) or process.poll() is not None:
            said = log.read_text(errors="replace").strip().splitlines() or ["nothing"]
            raise UnavailableError(f"{name} does not start here; it says: {said[-1]}")

    def stop(self, name: str, seconds: float = 20.0) -> None:
        """End a daemon, if it runs."""
        path = self._pid_file(name)
        if not path.exists():
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.is_running(name):
                os.kill(int(path.read_text()), number)
                wait_until(lambda: not self.is_running(name), seconds)
        path.unlink()

    def is_running(self, name: str) -> bool:
        """Return whether a daemon has been started and not ended."""
        path = self._pid_file(name)
        return path.exists() and self._runs(int(path.read_text()))

    def _runs(self, pid: int) -> bool:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        try:
            return os.fsencode(self.folder) in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False

    def _pid_file(self, name: str) -> Path:
        return self.folder / f"{name}.started"

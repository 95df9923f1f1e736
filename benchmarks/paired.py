"""Time whole processes against each other: A B A B …, medians of each and of the ratio pair by pair."""

from __future__ import annotations

import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Command:
    """What to run: a name for the table, the arguments, the folder and additional environment variables."""

    name: str
    arguments: Sequence[str]
    folder: Path
    variables: dict[str, str]


def seconds(command: Command) -> float:
    """Return the wall seconds of one run.

    :raises SystemExit: if the command fails, with the end of what it printed.
    """
    start = time.perf_counter()
    done = subprocess.run(
        command.arguments,
        cwd=command.folder,
        env={**os.environ, **command.variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    elapsed = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"{command.name} failed:\n{done.stdout[-3000:]}")
    return elapsed


def compare(ours: Command, peer: Command, runs: int) -> str:
    """Run both in turn, ``runs`` times (more than once: warmed up by one more); return a Markdown table row.

    Columns: ours (median s), peer (median s), ratio ours/peer (median, minimum to maximum), runs.
    """
    if runs > 1:
        seconds(ours), seconds(peer)
    pairs = [(seconds(ours), seconds(peer)) for _ in range(runs)]
    ratios = [a / b for a, b in pairs]
    return (
        f"| {ours.name} | {statistics.median(a for a, _ in pairs):.2f} | {peer.name} | "
        f"{statistics.median(b for _, b in pairs):.2f} | **{statistics.median(ratios):.2f}** "
        f"({min(ratios):.2f} to {max(ratios):.2f}) | {runs} |"
    )


def alternate(ours: Command, peer: Command, span: float = 1.0) -> tuple[tuple[float, float], tuple[float, float]]:
    """Run both once, a moment each in turn while the other is stopped; whatever disturbs the machine disturbs both.

    :param span: seconds of a turn.
    :return: of ours and of the peer the wall seconds of its turns, and its CPU seconds.
    """
    runs = [_Stopped(command) for command in (ours, peer)]
    while any(run.is_alive for run in runs):
        for run in runs:
            run.go_on(span)
    first, second = ((run.wall, run.cpu) for run in runs)
    return first, second


class _Stopped:
    """A process that runs only while it is told to."""

    def __init__(self, command: Command) -> None:
        self.wall, self.cpu, self.is_alive = 0.0, 0.0, True
        self._name = command.name
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        environment = {**os.environ, **command.variables}
        process = subprocess.Popen(
            command.arguments, cwd=command.folder, env=environment, stdout=self._output, stderr=subprocess.STDOUT
        )
        self._pid = process.pid  # Popen's own methods would take the exit status from wait4
        os.kill(self._pid, signal.SIGSTOP)

    def go_on(self, span: float) -> None:
        """Let it run for some seconds, or to its end."""
        if not self.is_alive:
            return
        began = time.perf_counter()
        os.kill(self._pid, signal.SIGCONT)
        while time.perf_counter() - began < span:
            pid, status, usage = os.wait4(self._pid, os.WNOHANG)
            if pid:
                self.is_alive, self.cpu = False, usage.ru_utime + usage.ru_stime
                self._require_success(status)
                break
            time.sleep(0.005)
        else:
            os.kill(self._pid, signal.SIGSTOP)
        self.wall += time.perf_counter() - began

    def _require_success(self, status: int) -> None:
        if os.waitstatus_to_exitcode(status):
            self._output.seek(0)
            sys.exit(f"{self._name} failed:\n{self._output.read().decode()[-3000:]}")


HEADER = "| ours | s | peer | s | ratio | runs |\n|---|---|---|---|---|---|"


def peak_memory_of_children() -> float:
    """Return the largest resident memory of any finished child process, MiB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024

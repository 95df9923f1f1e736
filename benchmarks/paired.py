"""Time whole processes against each other: A B A B …, medians of each and of the ratio pair by pair."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
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


HEADER = "| ours | s | peer | s | ratio | runs |\n|---|---|---|---|---|---|"


def peak_memory_of_children() -> float:
    """Return the largest resident memory of any finished child process, MiB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024

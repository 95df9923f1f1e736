"""A job in this process that gets a signal at a chosen line of the engine's own code."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from engine_jobs import SOURCE, run_here

from crucible_engine.job.process import Interruption
from crucible_engine.wire.schema import ARRAYS_FILE

ENGINE = str(SOURCE / "crucible_engine")


@dataclass
class Signalled:
    """What came of a run.

    :param lines: how many lines of the engine ran after it had begun to receive signals.
    :param had_arrays: whether the arrays were complete when the signal came; ``None`` if none came.
    :param results: what it wrote.
    """

    lines: int
    had_arrays: bool | None
    results: dict[str, Any]


def run_with_signal(folder: Path, line: int | None, name: str = "SIGTERM") -> Signalled:
    """Run a job and send a signal to it before a line, counted from 1 on where signals are received; twice, as those do
    who are impatient."""
    lines = 0
    had_arrays: bool | None = None
    install = Interruption.install

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines, had_arrays
        if not frame.f_code.co_filename.startswith(ENGINE) or frame.f_code.co_name == "_receive":
            return None
        if event == "line":
            lines += 1
            if lines == line:
                had_arrays = (folder / ARRAYS_FILE).exists()
                signal.raise_signal(getattr(signal, name))
                signal.raise_signal(getattr(signal, name))
        return trace

    def install_and_trace(interruption: Interruption) -> None:
        install(interruption)
        frame: FrameType | None = sys._getframe().f_back
        while frame is not None and frame.f_code.co_filename.startswith(ENGINE):
            frame.f_trace = trace
            frame = frame.f_back
        sys.settrace(trace)

    before = sys.gettrace()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Interruption, "install", install_and_trace)
        try:
            results = run_here(folder)
        finally:
            sys.settrace(before)
    return Signalled(lines, had_arrays, results)

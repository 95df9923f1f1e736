"""``python -m crucible_engine job.json``, or ``python crucible_engine.pyz job.json``: runs one job.

Only the standard library is imported before the number of threads is settled: BLAS and OpenMP read theirs once, when
numpy and torch are imported.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from crucible_engine.interruption import Interrupted, Interruption
from crucible_engine.results_file import ResultsFile
from crucible_engine.schema import (
    JOB_FILE,
    JOURNAL_FILE,
    PROTOCOL,
    RESULTS_FILE,
    Condition,
    EngineError,
    Job,
    Results,
)
from crucible_engine.threads import ThreadControl

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
COMPLETE = (Condition.FINISHED.value, Condition.NOT_CONVERGED.value)
"""Conditions of a job whose arrays hold everything that it computed."""
USAGE_ERROR = 2
"""Exit status where no results could be written; it is 0 wherever they were, whatever they say."""


def main(arguments: list[str] | None = None) -> int:
    """Run the job that the command line names.

    :param arguments: the command line without the program; by default the process's own.
    :return: the exit status.
    """
    options = _parser().parse_args(arguments)
    path = Path(options.job)
    if path.is_dir():
        path = path / JOB_FILE
    try:
        text = path.read_text(encoding="utf-8")
        os.chdir(path.parent)  # what a job names (a checkpoint) is relative to its folder
        target = ResultsFile(Path.cwd())
    except (OSError, UnicodeDecodeError) as error:
        return _complain(f"cannot run {path}: {_one_line(error)}")
    results = Results(task="unknown", condition=Condition.UNEXPECTED_ERROR.value)
    _run(text, results)
    try:
        target.write(results)
    except OSError as error:
        return _complain(f"cannot write {target.path}: {_one_line(error)}")
    if results.condition in COMPLETE:
        Path(JOURNAL_FILE).unlink(missing_ok=True)  # all that it holds is in the arrays
    return 0


def run_process() -> NoReturn:
    """Run the job that the process's command line names, and end the process."""
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is on the disk: taking torch and its companions down piece by piece would cost up to a second.
    os._exit(status)


def _run(text: str, results: Results) -> None:
    """Run the job that ``text`` describes and fill its results, whatever happens."""
    began = time.monotonic()
    interruption = Interruption()
    threads: ThreadControl | None = None
    try:
        interruption.install()
        job = Job.from_dict(_parse_json(text))
        results.task = job.task
        threads = ThreadControl(job.threads, os.environ)
        _import_runner().run_job(job, Path.cwd(), interruption, threads, began=began, results=results)
    except BaseException as error:
        interruption.settle()
        condition, message = _diagnose(error)
        results.condition, results.message = condition.value, message
        _say(message)
        if condition is Condition.UNEXPECTED_ERROR:
            traceback.print_exception(error)
    finally:
        results.timings["total"] = round(time.monotonic() - began, 4)
        if threads is not None:
            threads.leave()


def _import_runner() -> ModuleType:
    try:
        return importlib.import_module("crucible_engine.runner")
    except ImportError as error:
        raise EngineError(
            Condition.PACKAGE_MISSING, f"{sys.executable} lacks what every model needs (numpy and ase): {error}"
        ) from error


def _diagnose(error: BaseException) -> tuple[Condition, str]:
    """Return the condition that an exception stands for and one line about it."""
    if isinstance(error, EngineError):
        return error.condition, error.message
    if isinstance(error, Interrupted):
        return Condition.INTERRUPTED, f"stopped by {error.signal_name}: restart the job and it continues where it was"
    if _is_out_of_memory(error):
        return Condition.OUT_OF_MEMORY, "the memory does not suffice: give the job more or a smaller batch_size"
    if (reason := _no_space(error)) is not None:
        return Condition.DISK_FULL, f"no space left for the job's files ({reason}): free some and restart the job"
    return Condition.UNEXPECTED_ERROR, _one_line(error)


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, RuntimeError):
        from crucible_engine.models.base import is_out_of_memory

        return is_out_of_memory(error)
    return isinstance(error, MemoryError)


def _no_space(error: BaseException | None) -> str | None:
    """Return what the system said if an exception, or one that led to it, is about a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in NO_SPACE:
            return error.strerror
        error = error.__cause__ or error.__context__
    return None


def _one_line(error: BaseException) -> str:
    return " ".join(traceback.format_exception_only(error)[-1].split())


def _parse_json(text: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise EngineError(Condition.INVALID_JOB, f"{JOB_FILE} is no JSON: {error}") from error
    return content


def _complain(message: str) -> int:
    _say(message)
    return USAGE_ERROR


def _say(message: str) -> None:
    sys.stderr.write(f"crucible_engine: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crucible_engine",
        description=f"Run one job of aiida-crucible (protocol {PROTOCOL}) and write {RESULTS_FILE} next to it.",
        epilog=f"The exit status is 0 wherever {RESULTS_FILE} was written, also if it tells of a failure.",
    )
    parser.add_argument("job", help=f"the job's {JOB_FILE}, or the folder that holds it")
    parser.add_argument("--version", action="version", version=f"crucible_engine, protocol {PROTOCOL}")
    return parser


if __name__ == "__main__":
    run_process()

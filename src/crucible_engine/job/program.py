"""``python -m crucible_engine job.json``, or ``python crucible_engine.pyz job.json``: runs one job.

Only the standard library is imported before the number of threads is settled: BLAS and OpenMP read theirs once, when
numpy and torch are imported.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import time
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from crucible_engine.job.process import Interruption, occupy_standard_descriptors, say, unfailing_streams
from crucible_engine.job.threads import ThreadControl
from crucible_engine.tasks.registry import require_task
from crucible_engine.wire.bounds import LARGEST_JOB
from crucible_engine.wire.results import ResultsFile, diagnose, no_space, one_line
from crucible_engine.wire.schema import (
    JOB_FILE,
    JOURNAL_FILE,
    NO_SPACE_LEFT,
    PROTOCOL,
    RESULTS_FILE,
    STARTED,
    USAGE_ERROR,
    Condition,
    EngineError,
    Job,
    Results,
)
from crucible_engine.wire.value_types import parse_json


def main(arguments: list[str] | None = None) -> int:
    """Run the job that the command line names.

    :param arguments: the command line without the program; by default the process's own.
    :return: the exit status.
    """
    with unfailing_streams():
        return _main(_parser().parse_args(arguments))


def run_process() -> NoReturn:
    """Run the job that the process's command line names, and end the process."""
    occupy_standard_descriptors()
    with unfailing_streams():
        status = main()
        sys.stdout.flush()
    # Everything is on the disk: taking torch and its companions down piece by piece would cost up to a second.
    os._exit(status)


def _main(options: argparse.Namespace) -> int:
    path = Path(options.job)
    if path.is_dir():
        path = path / JOB_FILE
    try:
        text = _read_job(path)
        os.chdir(path.parent)  # what a job names (a checkpoint) is relative to its folder
        target = ResultsFile(Path.cwd())
    except (OSError, UnicodeDecodeError) as error:
        return _complain(f"cannot run {path}: {one_line(error)}", error)
    sys.stdout.write(f"{STARTED}\n")
    sys.stdout.flush()
    results = Results(task="unknown", condition=Condition.UNEXPECTED_ERROR.value)
    _run(text, results)
    try:
        results = target.write(results)
    except OSError as error:
        return _complain(f"cannot write {target.path}: {one_line(error)}", error)
    if results.condition == Condition.FINISHED.value:
        with contextlib.suppress(OSError):
            Path(JOURNAL_FILE).unlink(missing_ok=True)  # all that it holds is in the arrays
    return 0


def _run(text: str, results: Results) -> None:
    """Run the job that ``text`` describes and fill its results, whatever happens."""
    began = time.monotonic()
    interruption = Interruption()
    threads: ThreadControl | None = None
    try:
        try:
            interruption.install()
            job = Job.from_dict(_parse_json(text))
            require_task(job)
            results.task = job.task
            threads = ThreadControl(job.threads, os.environ)
            _import_runner().run_job(job, Path.cwd(), interruption, threads, began=began, results=results)
        finally:
            interruption.ignore()  # what follows says how it went
    except BaseException as error:
        condition, message = diagnose(error)
        results.condition, results.message = condition.value, message
        say(message)
        if condition is Condition.UNEXPECTED_ERROR:
            traceback.print_exception(error)
    finally:
        results.timings["total"] = round(time.monotonic() - began, 4)
        if threads is not None:
            threads.leave()


def _import_runner() -> ModuleType:
    try:
        return importlib.import_module("crucible_engine.job.runner")
    except ImportError as error:
        raise EngineError(
            Condition.PACKAGE_MISSING, f"{sys.executable} lacks what every model needs (numpy and ase): {error}"
        ) from error


def _read_job(path: Path) -> str:
    """Return the text of a job.

    :raises OSError: if it cannot be read, or has more than any job.
    """
    with path.open("rb") as stream:
        content = stream.read(LARGEST_JOB + 1)
    if len(content) > LARGEST_JOB:
        raise OSError(f"it has more than {LARGEST_JOB} bytes, and no job has so many")
    return content.decode("utf-8")


def _parse_json(text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError as error:
        raise EngineError(Condition.INVALID_JOB, f"{JOB_FILE} is no JSON: {error}") from error


def _complain(message: str, error: Exception) -> int:
    """Say why there are no results, and return the exit status that says so where nothing can be written."""
    say(message)
    return USAGE_ERROR if no_space(error) is None else NO_SPACE_LEFT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crucible_engine",
        description=f"Run one job of aiida-crucible (protocol {PROTOCOL}) and write {RESULTS_FILE} next to it.",
        epilog=f"The exit status is 0 wherever {RESULTS_FILE} was written, also if it tells of a failure.",
    )
    parser.add_argument("job", help=f"the job's {JOB_FILE}, or the folder that holds it")
    parser.add_argument("--version", action="version", version=f"crucible_engine, protocol {PROTOCOL}")
    return parser

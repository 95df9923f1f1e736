"""What every parser of this package shares: results, exit codes, and what an unfinished job left."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiida.engine import ExitCode
from aiida.orm import Data, Dict
from aiida.parsers import Parser
from aiida.repository import FileType

from aiida_crucible.calculations.base import STATUS_FILE, STDERR_FILE, STDOUT_FILE, EngineCalculation
from aiida_crucible.calculations.exit_codes import (
    ENGINE_NOT_STARTED,
    NODE_FAILURE,
    OF_CONDITION,
    OF_SCHEDULER,
    OUT_OF_WALLTIME,
    RESULTS_UNREADABLE,
    Failure,
)
from aiida_crucible.calculations.output_files import OutputError, read_records, read_results
from aiida_crucible.calculations.staging import forget_staging
from aiida_crucible.nodes.bounds import LARGEST_JOURNAL, LARGEST_RESULTS, LARGEST_SAYING, read_bounded
from crucible_engine.wire.journal import Record
from crucible_engine.wire.records import Check
from crucible_engine.wire.results import NO_SPACE
from crucible_engine.wire.rules import as_line
from crucible_engine.wire.schema import (
    JOURNAL_FILE,
    NO_SPACE_LEFT,
    PROGRESS_FILE,
    PROTOCOL,
    RESULTS_FILE,
    STARTED,
    Condition,
    Results,
)

COMPLETE = (Condition.FINISHED, Condition.NOT_CONVERGED)
"""Conditions of a job that has written all its arrays."""

LONGEST_SAYING = 300
"""Characters of what a Code said that a message repeats."""
CRASHES = ("SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGSEGV")
"""Signals that a process gives itself; the same job would do it again."""


Unfinished = tuple[Mapping[str, Data], dict[str, Any]]
"""The outputs of what an unfinished job had done, by label, and what to say of them in the summary."""


class EngineParser(Parser):
    """Attaches all that can be read, and only then chooses the exit code.

    A task says what its nodes are (:meth:`outputs_of_complete`, :meth:`outputs_of_unfinished`).
    """

    CACHE_VERSION = PROTOCOL

    def outputs_of_complete(self, temporary: Path) -> Mapping[str, Data]:
        """Return the outputs of a job that ran to its end, by label, beside ``results``.

        :param temporary: the folder with the files that were retrieved for the parser alone, the arrays.
        :raises OutputError: if the arrays are damaged, or do not belong to the inputs.
        """
        del temporary
        return {}

    def outputs_of_unfinished(self, records: list[Record], temporary: Path) -> Unfinished:
        """Return the outputs of what an unfinished job had done, by label, and what to say of them in the summary.

        :param records: of its journal.
        :param temporary: the folder with the files that were retrieved for the parser alone.
        """
        del records, temporary
        return {}, {}

    def record_check(self) -> Check | None:
        """Return the check of the job's journal; ``None`` where it is of no use to a parser."""
        return None

    def parse(self, **kwargs: Any) -> ExitCode:
        """Parse what was retrieved; see :class:`EngineParser`."""
        try:
            results = self._read_results()
            temporary = Path(kwargs["retrieved_temporary_folder"])
            if results is None or Condition(results.condition) not in COMPLETE:
                return self._parse_unfinished(results, temporary)
            return self._parse_complete(results, temporary)
        except OutputError as error:
            return self.exit_code(error.failure, error.detail)

    def exit_code(self, failure: Failure, detail: str) -> ExitCode:
        """Return the exit code of a failure, its message complete with the detail."""
        code: ExitCode = getattr(self.exit_codes, failure.label)
        return code.format(detail=as_line(detail))

    def _parse_complete(self, results: Results, temporary: Path) -> ExitCode:
        self.out("results", Dict(results.to_dict()))
        self._check_weights(results)
        for label, node in self.outputs_of_complete(temporary).items():
            self.out(label, node)
        if results.condition == Condition.FINISHED:
            return ExitCode(0)
        return self.exit_code(OF_CONDITION[Condition(results.condition)], results.message)

    def _parse_unfinished(self, results: Results | None, temporary: Path) -> ExitCode:
        outputs, done = self.outputs_of_unfinished(self._read_journal(), temporary)
        if results is None and self.node.exit_status and self.node.exit_status not in OF_SCHEDULER:
            return ExitCode(self.node.exit_status, self.node.exit_message)
        failure, detail = self._failure(results)
        results = results or Results(self._process_class.TASK, _condition_of(failure).value, detail)
        results.summary = {**done, **results.summary}
        for label, node in {"results": Dict(results.to_dict()), **outputs}.items():
            self.out(label, node)
        if failure is OF_CONDITION[Condition.CHECKPOINT_MISSING] and self.node.computer is not None:
            # Whoever cleaned the computer did not tell us: the next job brings the file there again.
            forget_staging(self.node.inputs.model, self.node.computer)
        return self.exit_code(failure, detail)

    def _failure(self, results: Results | None) -> tuple[Failure, str]:
        """Return why a job is unfinished: what the scheduler saw goes before what the engine noticed of it."""
        if self.node.exit_status in OF_SCHEDULER:
            return OF_SCHEDULER[self.node.exit_status], str(self.node.exit_message)
        if results is not None:
            return OF_CONDITION[Condition(results.condition)], results.message
        return self._failure_without_results()

    def _failure_without_results(self) -> tuple[Failure, str]:
        status = _exit_status(self._read(STATUS_FILE))
        killed_by = None if status is None else _signal_name(status)
        complaint = (self._read(STDERR_FILE) or "").strip().splitlines()[-1:]
        if killed_by in CRASHES:
            return OF_CONDITION[Condition.UNEXPECTED_ERROR], f"the engine's process crashed ({killed_by})"
        if (full := _says_full(status, complaint)) is not None:
            return OF_CONDITION[Condition.DISK_FULL], f"the computer's disk is full: {full}"
        if status is None or killed_by or self._has(JOURNAL_FILE) or self._has(PROGRESS_FILE):
            alone = "was ended from outside" if status is None else f"ended with exit status {status}"
            how = f"was killed ({killed_by})" if killed_by else alone
            return OF_CONDITION[Condition.INTERRUPTED], (
                f"the job {how} before it was done: continue it with `restart_from`, its "
                f"`{self._process_class.CONTINUED_OUTPUT}` output, as the restart WorkChain does"
            )
        if complaint and complaint[0].startswith("crucible_engine:"):
            return OF_CONDITION[Condition.UNEXPECTED_ERROR], complaint[0]
        printed = (self._read(STDOUT_FILE) or "").strip().splitlines()
        said = complaint or printed[-1:]
        how = f"said {said[0][:LONGEST_SAYING]!r}" if said else "ended without a word"
        if STARTED in printed:
            how = f"ended with exit status {status} and no {RESULTS_FILE}" if said == [STARTED] else how
            return OF_CONDITION[Condition.UNEXPECTED_ERROR], f"the engine had started, but {how}"
        return ENGINE_NOT_STARTED, f"code {self.node.inputs.code.label!r} {how}"

    def _check_weights(self, results: Results) -> None:
        if not self._process_class.needs_model():
            return
        wanted, loaded = self.node.inputs.model.sha256, results.model.get("sha256")
        if wanted is not None and wanted != loaded:
            raise OutputError(
                OF_CONDITION[Condition.WEIGHTS_MISMATCH],
                f"the weights that were loaded have sha256 {loaded}, but model {self.node.inputs.model.title} has "
                f"{wanted}: the environment holds other weights under this name",
            )

    @property
    def _process_class(self) -> type[EngineCalculation]:
        process_class: type[EngineCalculation] = self.node.process_class
        return process_class

    def _read_results(self) -> Results | None:
        text = self._read(RESULTS_FILE)
        if text is None and RESULTS_FILE in self.retrieved.base.repository.list_object_names():
            raise OutputError(RESULTS_UNREADABLE, f"{RESULTS_FILE} is a folder")
        return None if text is None else read_results(text)

    def _read_journal(self) -> list[Record]:
        check = self.record_check()
        if check is None or not self._has(JOURNAL_FILE):
            return []
        with self.retrieved.base.repository.as_path(JOURNAL_FILE) as path:
            if path.stat().st_size > LARGEST_JOURNAL:
                raise OutputError(RESULTS_UNREADABLE, f"{JOURNAL_FILE} has more than {LARGEST_JOURNAL} bytes")
            return read_records(path, check)

    def _has(self, name: str) -> bool:
        repository = self.retrieved.base.repository
        return name in repository.list_object_names() and repository.get_object(name).file_type is FileType.FILE

    def _read(self, name: str) -> str | None:
        if not self._has(name):
            return None
        with self.retrieved.base.repository.open(name, mode="rb") as stream:
            if name != RESULTS_FILE:
                stream.seek(max(0, stream.seek(0, os.SEEK_END) - LARGEST_SAYING))
                return str(stream.read().decode(errors="replace"))
            try:
                return read_bounded(stream, LARGEST_RESULTS).decode(errors="replace")
            except ValueError as error:
                raise OutputError(RESULTS_UNREADABLE, f"{RESULTS_FILE} is damaged ({error})") from None


def _condition_of(failure: Failure) -> Condition:
    """Return the condition that comes nearest to a failure that only the parser saw."""
    conditions = {known: condition for condition, known in OF_CONDITION.items()}
    interruptions = (OUT_OF_WALLTIME, NODE_FAILURE)
    return conditions.get(failure, Condition.INTERRUPTED if failure in interruptions else Condition.UNEXPECTED_ERROR)


def _says_full(status: str | None, complaint: list[str]) -> str | None:
    """Return what tells that a job's disk was full, ``None`` where nothing does.

    :param status: the engine's exit status; an empty one is of a file that had no room.
    :param complaint: the last line of standard error, if there is any.
    """
    for line in complaint:
        if any(os.strerror(number) in line for number in NO_SPACE):
            return line
    if status in ("", str(NO_SPACE_LEFT)):
        return f"it took no {RESULTS_FILE if status else STATUS_FILE}"
    return None


def _exit_status(content: str | None) -> str | None:
    """Return the exit status that a shell wrote, empty where it had no room to; ``None`` where it wrote none."""
    status = None if content is None else content.strip()
    return status if status is not None and re.fullmatch("[0-9]{0,3}", status) else None


def _signal_name(status: str) -> str | None:
    """Return the signal that ended a process, from the status that a shell gives it (128 + its number)."""
    if not status:
        return None
    try:
        return signal.Signals(int(status) - 128).name
    except ValueError:
        return None

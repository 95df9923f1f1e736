"""How a process can end: one table of exit codes, never renumbered, and which of them AiiDA's cache must forget.

2xx: a bad input that only the run could see. 3xx: unrecoverable. 4xx: restartable. 5xx: the physics did not converge.
Every code below 400 invalidates the cache; one of 4xx is kept where a restart has continued it to its end.
"""

from __future__ import annotations

from typing import NamedTuple

from aiida.engine import ExitCode

from crucible_engine.wire.schema import Condition

FIRST_CACHED_STATUS = 400
RESTARTABLE = range(400, 500)


class Failure(NamedTuple):
    """One exit code; ``message`` may hold ``{detail}``, the line that the engine or the parser gives."""

    status: int
    label: str
    message: str = "{detail}"


OF_CONDITION: dict[Condition, Failure] = {
    Condition.UNSUPPORTED_ELEMENT: Failure(201, "ERROR_UNSUPPORTED_ELEMENT"),
    Condition.CHECKPOINT_MISSING: Failure(202, "ERROR_CHECKPOINT_MISSING"),
    Condition.CHECKPOINT_UNREADABLE: Failure(203, "ERROR_CHECKPOINT_UNREADABLE"),
    Condition.CHECKPOINT_OF_ANOTHER_FAMILY: Failure(204, "ERROR_CHECKPOINT_OF_ANOTHER_FAMILY"),
    Condition.CHECKPOINT_UNTRUSTED: Failure(205, "ERROR_CHECKPOINT_UNTRUSTED"),
    Condition.WEIGHTS_MISMATCH: Failure(206, "ERROR_WEIGHTS_MISMATCH"),
    Condition.PACKAGE_MISSING: Failure(207, "ERROR_PACKAGE_MISSING"),
    Condition.PACKAGE_VERSION: Failure(208, "ERROR_PACKAGE_VERSION"),
    Condition.DEVICE_UNAVAILABLE: Failure(209, "ERROR_DEVICE_UNAVAILABLE"),
    Condition.INVALID_JOB: Failure(210, "ERROR_INVALID_JOB"),
    Condition.INVALID_STRUCTURE: Failure(211, "ERROR_INVALID_STRUCTURE"),
    Condition.CODE_UNTRUSTED: Failure(212, "ERROR_CODE_UNTRUSTED"),
    Condition.CAPABILITY_MISSING: Failure(213, "ERROR_CAPABILITY_MISSING"),
    Condition.DISK_FULL: Failure(301, "ERROR_DISK_FULL"),
    Condition.UNEXPECTED_ERROR: Failure(302, "ERROR_UNEXPECTED"),
    Condition.INTERRUPTED: Failure(400, "ERROR_INTERRUPTED"),
    Condition.OUT_OF_MEMORY: Failure(401, "ERROR_OUT_OF_MEMORY"),
    Condition.NOT_CONVERGED: Failure(500, "ERROR_NOT_CONVERGED"),
}
"""The exit code of each condition that ``results.json`` may state, but for ``FINISHED``."""

ENGINE_NOT_STARTED = Failure(
    220, "ERROR_ENGINE_NOT_STARTED", "the engine did not start: {detail} (the Code must be a Python with numpy and ase)"
)
NOTHING_TO_CONTINUE = Failure(221, "ERROR_NOTHING_TO_CONTINUE", "there is nothing to continue: {detail}")
RESULTS_UNREADABLE = Failure(310, "ERROR_RESULTS_UNREADABLE", "the results cannot be read: {detail}")
PROTOCOL_DIFFERS = Failure(311, "ERROR_PROTOCOL_DIFFERS", "the results speak another protocol: {detail}")
ARRAYS_UNREADABLE = Failure(312, "ERROR_ARRAYS_UNREADABLE", "the arrays cannot be read: {detail}")
ARRAYS_MISMATCH = Failure(313, "ERROR_ARRAYS_MISMATCH", "the arrays do not match the inputs: {detail}")
OUT_OF_WALLTIME = Failure(402, "ERROR_OUT_OF_WALLTIME", "the scheduler ended the job at its walltime: {detail}")
NODE_FAILURE = Failure(403, "ERROR_NODE_FAILURE", "the node that ran the job failed: {detail}")

FAILURES: tuple[Failure, ...] = (
    *OF_CONDITION.values(),
    ENGINE_NOT_STARTED,
    NOTHING_TO_CONTINUE,
    RESULTS_UNREADABLE,
    PROTOCOL_DIFFERS,
    ARRAYS_UNREADABLE,
    ARRAYS_MISMATCH,
    OUT_OF_WALLTIME,
    NODE_FAILURE,
)
"""Every exit code of a CalcJob."""

OF_SCHEDULER: dict[int, Failure] = {
    110: OF_CONDITION[Condition.OUT_OF_MEMORY],
    120: OUT_OF_WALLTIME,
    140: NODE_FAILURE,
}
"""What AiiDA's scheduler plugins report (its own exit statuses), as the failures that a restart knows to handle."""


def exits(*failures: Failure) -> list[ExitCode]:
    """Return failures in the form that AiiDA's process handlers ask for."""
    return [ExitCode(failure.status, failure.message) for failure in failures]

"""What an exception that ended a job means: its condition, and one line about it."""

from __future__ import annotations

import contextlib
import errno
import traceback

from crucible_engine.wire.schema import Condition, EngineError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Interrupted(BaseException):
    """The job was asked to stop.

    It derives from ``BaseException`` like ``KeyboardInterrupt``, so that no ``except Exception`` of a model's package
    swallows it.

    :param signal_name: which signal asked, e.g. ``SIGTERM``.
    """

    def __init__(self, signal_name: str) -> None:
        super().__init__(signal_name)
        self.signal_name = signal_name


def diagnose(error: BaseException) -> tuple[Condition, str]:
    """Return the condition that an exception stands for and one line about it; no exception makes this fail."""
    if isinstance(error, EngineError):
        return error.condition, error.message
    if isinstance(error, Interrupted):
        return Condition.INTERRUPTED, f"stopped by {error.signal_name}: restart the job and it continues where it was"
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and is_out_of_memory(error)):
        return Condition.OUT_OF_MEMORY, "the memory does not suffice: give the job more or a smaller batch_size"
    if (reason := no_space(error)) is not None:
        return Condition.DISK_FULL, f"no space left for the job's files ({reason}): free some and restart the job"
    return Condition.UNEXPECTED_ERROR, one_line(error)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Tell torch's out-of-memory errors, which are no ``MemoryError``, from others."""
    if type(error).__name__ == "OutOfMemoryError":
        return True
    text = one_line(error).lower()
    return any(words in text for words in ("out of memory", "not enough memory", "can't allocate memory"))


def no_space(error: BaseException | None) -> str | None:
    """Return what the system said if an exception, or one that led to it, is about a full disk."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno in NO_SPACE:
            return error.strerror
        error = error.__cause__ or error.__context__
    return None


def one_line(error: BaseException) -> str:
    """Return kind and text of an exception in one line."""
    text = type(error).__name__
    with contextlib.suppress(Exception):  # an exception of somebody's own may fail to describe itself
        text = " ".join(traceback.format_exception_only(error)[-1].split()) or text
    return text

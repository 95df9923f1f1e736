"""Why a process ended, in one line, also where AiiDA itself could not go on with it."""

from __future__ import annotations

from aiida.orm import ProcessNode

DISK_FULL = ("No space left on device", "disk is full", "Disk quota exceeded")
"""What the operating system and SQLite say."""


def said_of(process: ProcessNode) -> str:
    """Return why a process ended, in its own words."""
    if process.exit_message:
        return str(process.exit_message)
    exception = process.exception or ""
    lines = exception.strip().splitlines()
    if any(words in exception for words in DISK_FULL):
        return f"the disk of AiiDA's own profile is full ({lines[-1]}): free some space there, and run it again"
    return lines[-1] if lines else f"it ended with {process.process_state.value} and exit status {process.exit_status}"

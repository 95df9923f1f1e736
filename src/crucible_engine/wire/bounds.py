"""Limits of what the engine reads from files of others: a larger one is refused at once, with one line."""

from __future__ import annotations

LARGEST_JOB = 2**26
"""Bytes of ``job.json``: the structures are in a file of their own."""

LARGEST_PICKLE = 2**25
"""Bytes of the pickle in a checkpoint, which names the tensors and holds none: those of large models have 1 MiB."""

LONGEST_SCAN = 2**20
"""Opcodes of a pickle that are looked at for a message."""

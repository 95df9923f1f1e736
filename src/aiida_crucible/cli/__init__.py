"""The command line, ``aiida-crucible``. Nothing heavy is imported before a command needs it."""

from aiida_crucible.cli.root import main

__all__ = ["main"]

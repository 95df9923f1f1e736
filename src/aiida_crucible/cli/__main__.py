"""``python -m aiida_crucible.cli``."""

from aiida_crucible.cli import main

main(prog_name="aiida-crucible")

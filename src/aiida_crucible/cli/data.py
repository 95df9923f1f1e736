"""``verdi data crucible-model``: the commands of ``aiida-crucible model`` where AiiDA's users look for data."""

from __future__ import annotations

import click

from aiida_crucible.cli.model import add, list_, show, verify
from aiida_crucible.cli.root import OneLineErrors


@click.group("crucible-model", cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
def crucible_model() -> None:
    """Machine-learning interatomic potentials: list, add, show, verify."""


for _command in (list_, add, show, verify):
    crucible_model.add_command(_command)

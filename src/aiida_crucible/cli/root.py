"""The command ``aiida-crucible`` itself."""

from __future__ import annotations

import click

from aiida_crucible import __version__
from aiida_crucible.cli.groups import LazyGroup


@click.group(
    cls=LazyGroup,
    commands_by_name={
        "benchmark": "aiida_crucible.cli.benchmark:benchmark",
        "demo": "aiida_crucible.cli.demo:demo",
        "env": "aiida_crucible.cli.env:env",
        "model": "aiida_crucible.cli.model:model",
        "reference": "aiida_crucible.cli.reference:reference",
        "status": "aiida_crucible.cli.status:status",
    },
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="aiida-crucible")
def main() -> None:
    """Find out whether a machine-learning interatomic potential can be trusted for a material.

    Start with `aiida-crucible demo`, or with `verdi presto` (once, an AiiDA profile) and `aiida-crucible env create
    chgnet`.
    """

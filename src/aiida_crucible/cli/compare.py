"""``aiida-crucible compare``: one crystal with many models, beside each other."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_crucible.cli.shared.launching import by_label, launching, place
from aiida_crucible.cli.shared.options import JobOptions, say

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import ProcessNode

REFERENCE = JobOptions("{lattice: {a: 3.9}, source: experiment}")

EXAMPLES = """\b
Examples:
  aiida-crucible compare BaTiO3.cif -m chgnet -m sevennet -m nep:nep89.txt
  aiida-crucible compare PbTiO3.cif -m chgnet -m matgl --phase cubic.cif --reference pbesol.yaml -T 300:1000:100
  aiida-crucible compare --protocol pto-test --small -m chgnet -m sevennet -m nep:nep89.txt
"""


def _show(node: ProcessNode) -> None:
    """Write the ranking, where the models agree, and the page."""
    from aiida_crucible.analysis.verdict.spread import in_words
    from aiida_crucible.report.write import write_report

    content = node.outputs.summary.get_dict()
    rows = content["rows"]
    for number, ranked in enumerate(content["ranking"], start=1):
        row, apart = rows[ranked["label"]], content["outliers"].get(ranked["label"], [])
        lattice = ", ".join(
            f"{name.replace('_over_', '/')} {row['lattice'][name]:.4g}" for name in ("a", "c", "c_over_a")
        )
        aside = f"; stands apart in {', '.join(map(in_words, apart))}" if apart else ""
        click.echo(f"{number}. {row['title']}: {lattice}{aside}. {row['headline']}")
    for label, reason in sorted(content["failed"].items()):
        click.echo(f"–  {rows[label]['title']}: {reason}")
    if "speed" in node.outputs:
        for model in node.outputs.speed["models"].values():
            click.echo(f"{model['title']}: {_cost(model)}")
    agreement = content["agreement"]
    click.secho(f"{agreement['question']} {agreement['answer']}: {agreement['reason']}", bold=True)
    try:
        files = write_report([node], Path(f"report-{node.pk}.html"))
    except (OSError, ValueError) as error:
        say(f"the page could not be written: {error}; `aiida-crucible report {node.pk}` makes it again")
        return
    click.echo(f"Report: {files[0]}")


def _cost(model: dict[str, Any]) -> str:
    """Return what a force call of a model costs, in words."""
    measured = [entry for entry in model["sizes"] if entry["outcome"] == "measured"]
    told = [
        f"{entry['milliseconds_per_step']:.3g} ms of {entry['n_atoms']} atoms"
        for entry in measured[:: len(measured) - 1 or 1]
    ]
    return f"a force call takes {', '.join(told)}" if told else "no force call could be timed"


@click.command(short_help="Put models beside each other for one crystal.", epilog=EXAMPLES)
@click.argument("structure", metavar="[FILE|PK|PROTOTYPE]", required=False)
@click.option(
    "-m", "--model", "models", multiple=True, required=True, metavar="MODEL", help="Family, FAMILY:NAME, PK …"
)
@click.option("-T", "--temperatures", metavar="K", help="To run it at: 300, 300,400 or FIRST:LAST:STEP.")
@click.option(
    "--phase", "phases", multiple=True, metavar="FILE|PK|PROTOTYPE", help="A competing phase; may be repeated."
)
@click.option("--reference", metavar="FILE", type=REFERENCE, default=dict, help="YAML of what is known, see the docs.")
@click.option("--speed", is_flag=True, help="Time force calls of all against the number of atoms as well.")
@click.option("--small", is_flag=True, help="Fewer temperatures, shorter runs, small cells (protocol pto-test).")
@functools.partial(launching, show=_show)
def compare(
    structure: str | None,
    models: tuple[str, ...],
    temperatures: str | None,
    *,
    phases: tuple[str, ...],
    reference: dict[str, Any],
    speed: bool,
    small: bool,
    **given: Any,
) -> ProcessBuilder:
    """Ask of many models whether they can be trusted with one crystal, rank them, and say where they agree.

    Each model is asked as `run` asks it. With a reference those stand first that agree best with it; without one the
    models' own agreement is told, and which of them stand apart. A model that fails is a row with its reason.

    The protocol pto-test asks what the PbTiO3 phase-transition paper asks (doi 10.1021/acs.jpcc.5c07541), and has its
    crystals, reference and charges: it needs no structure. With --small it is for a laptop.
    """
    from aiida_crucible.launch.requests import as_question, parse_temperatures
    from aiida_crucible.workflows.common.protocols import merged
    from aiida_crucible.workflows.comparison.workchain import ComparisonWorkChain

    labels = by_label(models)
    hot = parse_temperatures(temperatures) if temperatures else None
    where = {name: given[name] for name in ("code", "computer", "yes")}
    protocol = _protocol(given["protocol"], structure, is_small=small)
    asked: dict[str, Any] = {}
    if structure is not None:
        question = as_question(structure, phases=phases, reference=reference)
        asked = {"competing": question.phases or None, "reference": question.reference or None}
    elif phases or reference:
        raise click.ClickException("phases and a reference are of a structure: give it, too")
    return ComparisonWorkChain.get_builder_from_protocol(
        {label: place(name, dict(where)) for label, name in labels.items()},
        None if structure is None else question.structure,
        protocol,
        temperatures=hot,
        overrides=merged({"speed": {}} if speed else {}, given["overrides"]),
        options=given["options"] or None,
        **asked,
    )


def _protocol(name: str | None, structure: str | None, *, is_small: bool) -> str | None:
    """Return the protocol that is meant.

    :raises click.ClickException: one line, if there is no small one, or no crystal.
    """
    from aiida_crucible.workflows.comparison.published import PTO_PROTOCOLS

    if is_small and name not in PTO_PROTOCOLS:
        raise click.ClickException("--small goes with --protocol pto-test; a quick one of the others is fast")
    if structure is None and name not in PTO_PROTOCOLS:
        raise click.ClickException("there is no crystal to ask about: give a file, a PK or a prototype (Cu:fcc:3.61)")
    return PTO_PROTOCOLS[1] if is_small else name

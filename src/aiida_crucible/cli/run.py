"""``aiida-crucible run``: from a structure to a verdict on one or several models."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_crucible.cli.shared.options import (
    DEVICE,
    Assignment,
    JobOptions,
    Number,
    require_broker,
    say,
    with_profile,
    yes_option,
)
from aiida_crucible.cli.shared.plans import show_plans
from aiida_crucible.monitoring.words import duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiida.engine import ProcessBuilder
    from aiida.orm import WorkChainNode

    from aiida_crucible.launch.estimate import Estimate

OVERRIDES = JobOptions("{phonon: {parameters: {supercell_matrix: [2, 2, 2]}}}")
REFERENCE = JobOptions("{lattice: {a: 3.9}, source: experiment}")
STEPS, TIME_STEP = Number(int, 1, "50000"), Number(float, 0.001, "1")

LONG = 3600.0
"""Seconds of an estimate from which on it is asked."""

EXAMPLES = """\b
Examples:
  aiida-crucible run BaTiO3.cif -m chgnet -T 100:600:100
  aiida-crucible run Si:diamond:5.43 -m chgnet -m sevennet --protocol fast --yes
  aiida-crucible run cubic.cif -m chgnet --expect stable=no --phase tetragonal.cif
  aiida-crucible run 1234 -m mace:medium-mpa-0 --computer gpu --options '{queue_name: gpu}' --submit
"""


@click.command(short_help="Find out whether models can be trusted with a structure.", epilog=EXAMPLES)
@click.argument("structure", metavar="FILE|PK|PROTOTYPE")
@click.option(
    "-m", "--model", "models", multiple=True, required=True, metavar="MODEL", help="Family, FAMILY:NAME, PK …"
)
@click.option("-T", "--temperatures", metavar="K", help="To run it at: 300, 300,400 or FIRST:LAST:STEP.")
@click.option(
    "--phase", "phases", multiple=True, metavar="FILE|PK|PROTOTYPE", help="A competing phase; may be repeated."
)
@click.option("--reference", metavar="FILE", type=REFERENCE, default=dict, help="YAML of what is known, see the docs.")
@click.option(
    "--expect",
    "expected",
    multiple=True,
    type=Assignment("stable=no"),
    help="What is known of the crystal: stable=no, melting_temperature=1358, transition_temperature=393, "
    "transition=no, space_group=99, exists_at=300; may be repeated.",
)
@click.option("--protocol", metavar="NAME", help="fast, balanced or stringent; balanced if left out.")
@click.option("--steps", type=STEPS, metavar="N", help="Steps of the dynamics; the protocol's if left out.")
@click.option("--time-step", type=TIME_STEP, metavar="FS", help="Of the dynamics, fs.")
@click.option("--overrides", type=OVERRIDES, default=dict, help="Inputs to set otherwise, as YAML or a YAML file.")
@click.option("--code", metavar="CODE", help="Environment of the model; the one of its family if left out.")
@click.option("-c", "--computer", metavar="LABEL", help="Where to run; localhost if left out.")
@click.option("--device", default="auto", show_default=True, type=DEVICE, help="auto, cpu, cuda, cuda:1 …")
@click.option("--options", type=JobOptions(), default=dict, help="The jobs' options, e.g. '{queue_name: gpu}'.")
@click.option("--dry-run", is_flag=True, help="Show the plan and what it takes, and end there.")
@click.option("--no-estimate", is_flag=True, help="Do not time the model beforehand.")
@click.option("--submit", is_flag=True, help="Hand it to the daemon instead of running it here.")
@click.option(
    "--report",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.html",
    help="Where the page of results goes; report-PK.html if left out.",
)
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON.")
@yes_option
@with_profile
def run(**given: Any) -> None:
    """Find out whether models can be trusted with a crystal: relaxation, phonons and, with -T, hot runs.

    Of a molecule or a slab: relaxation, vibrations and, with -T, whether it keeps its bonds.

    The structure is a file that ASE reads, the PK of a node, or a prototype such as Si:diamond:5.43. What is missing
    (environment, code, verification) is made after asking. Exits with 0 if every model can be trusted, with 2 if one
    cannot, with 3 if that cannot be told, and with 1 if something failed.
    """
    if given["submit"]:
        require_broker()
    if given["page"]:
        from aiida_crucible.report.write import check_path

        check_path(given["page"])
    builders = _prepare(given)
    estimates = show_plans(builders, given, is_timed=not given["no_estimate"])
    if given["dry_run"]:
        return
    _agree_to(estimates, given["yes"])
    if given["submit"]:
        _submit(builders)
        return
    from aiida_crucible.launch.result import ReliabilityResult
    from aiida_crucible.monitoring.together import LeftToDaemonError, run_together

    try:
        nodes = run_together(builders, to_stderr=given["as_json"])
    except LeftToDaemonError as left:
        say(str(left))
        return
    result = ReliabilityResult(nodes)
    if given["as_json"]:
        click.echo(json.dumps(result.as_dict(), indent=1))
    else:
        _show(result.nodes, given)
    raise click.exceptions.Exit(_exit_code(result.nodes))


def _prepare(given: Mapping[str, Any]) -> dict[str, ProcessBuilder]:
    """Return the WorkChain of each model, by its title; environments that are missing are made.

    :raises ValueError: one line, if something does not fit.
    """
    from aiida_crucible.launch.environments import environment_of
    from aiida_crucible.launch.models import find_model
    from aiida_crucible.launch.requests import as_question, parse_temperatures

    overlap = sorted(set(given["reference"]) & {name for name, _ in given["expected"]})
    if overlap:
        raise ValueError(f"{', '.join(overlap)} is in --reference and in --expect: give it once")
    question = as_question(
        given["structure"],
        temperatures=parse_temperatures(given["temperatures"]) if given["temperatures"] else (),
        phases=given["phases"],
        steps=given["steps"],
        time_step=given["time_step"],
        reference={**given["reference"], **dict(given["expected"])},
        protocol=given["protocol"],
        overrides=given["overrides"],
        options={**given["options"], "device": given["device"]},
    )
    models = {model.title: model for model in map(find_model, given["models"])}
    if len(models) < len(given["models"]):
        raise ValueError(f"a model is given twice: {', '.join(given['models'])}")
    builders = {}
    for title, model in models.items():
        code = environment_of(
            model,
            code=given["code"],
            computer=given["computer"],
            may_create=lambda line: ask(line, given["yes"]),
            report=say,
        )
        builders[title] = question.builder(code, model)
    return builders


def ask(line: str, yes: bool) -> bool:
    """Ask where there is somebody; where not, say it if it is agreed to: what refuses it says it otherwise."""
    if yes:
        say(line)
    if yes or not sys.stdin.isatty():
        return yes
    return click.confirm(f"{line}?", default=True, err=True)


def _agree_to(estimates: Sequence[Estimate], yes: bool) -> None:
    """Ask before what is long.

    :raises ValueError: one line, if nobody agrees, or it cannot be done.
    """
    if any(each.seconds is None for each in estimates):
        raise ValueError("it does not fit into memory: take a smaller supercell (--overrides) or another --computer")
    total = sum(each.seconds or 0.0 for each in estimates)
    if total > LONG and not ask(f"this takes about {duration(total)}: begin", yes):
        raise ValueError(f"it takes about {duration(total)}, more than an hour: say --yes, or take --protocol fast")


def _submit(builders: Mapping[str, ProcessBuilder]) -> None:
    from aiida.engine import submit

    for title, builder in builders.items():
        node = submit(builder)
        click.echo(f"{title}: PK {node.pk}; `aiida-crucible status {node.pk} --watch 10` shows how far it is")


def _show(nodes: Mapping[str, WorkChainNode], given: Mapping[str, Any]) -> None:
    """Write headline, answers, next steps and PKs."""
    from aiida_crucible.launch.result import ReliabilityResult, next_steps

    result = ReliabilityResult(nodes)
    click.echo(f"\n{result.table()}\n")
    for line in result.verdict.splitlines():
        click.secho(line, bold=True)
    for text, options in next_steps(result.verdicts):
        click.echo(f"  next: {text}" + (f": `{next_command(given, options)}`" if options else ""))
    for title, node in nodes.items():
        click.echo(f"{title}: PK {node.pk} (`verdi process status {node.pk}`)")
    _write_page(nodes, given["page"])


def _write_page(nodes: Mapping[str, WorkChainNode], page: Path | None) -> None:
    """Write the report of what came to an answer; where that fails, nothing that was computed is lost."""
    from aiida_crucible.report.write import write_report

    answered = [node for node in nodes.values() if "verdict" in node.outputs]
    if not answered:
        return
    pks = [str(node.pk) for node in answered]
    try:
        files = write_report(answered, page or Path(f"report-{'-'.join(pks)}.html"))
    except (OSError, ValueError) as error:
        say(f"the page could not be written: {error}; `aiida-crucible report {' '.join(pks)}` makes it again")
        return
    click.echo(f"Report: {files[0]}")


def next_command(given: Mapping[str, Any], more: str) -> str:
    """Return the command that was typed, with other options added or in the place of those of the same name."""
    from aiida_crucible.references.plain_yaml import parse_yaml
    from aiida_crucible.workflows.common.protocols import merged

    words = ["aiida-crucible", "run", shlex.quote(given["structure"])]
    for name in ("models", "phases", "temperatures", "protocol", "steps", "time_step", "code", "computer"):
        option = {"models": "--model", "phases": "--phase"}.get(name, f"--{name.replace('_', '-')}")
        if given[name] and option not in more:
            values = given[name] if isinstance(given[name], tuple) else (given[name],)
            words += [f"{option} {shlex.quote(str(value))}" for value in values]
    words += [f"--expect {name}={as_typed(value)}" for name, value in given["expected"] if f"{name}=" not in more]
    if given["device"] != "auto":
        words.append(f"--device {given['device']}")
    contents = {name: given[name] for name in ("reference", "overrides", "options")}
    name, _, text = more.partition(" ")
    if name == "--overrides":  # beside those that were given, not in their place
        more, contents["overrides"] = "", merged(given["overrides"], parse_yaml(shlex.split(text)[0].encode()))
    words += [
        f"--{name} {shlex.quote(json.dumps(content))}"
        for name, content in contents.items()
        if content and f"--{name}" not in more
    ]
    return " ".join([*words, more]).rstrip()


def as_typed(value: str | int | float | bool) -> str:
    """Return a value of ``--expect`` as a person types it."""
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def _exit_code(nodes: Mapping[str, WorkChainNode]) -> int:
    if any("verdict" not in node.outputs for node in nodes.values()):
        return 1
    found = {node.outputs.verdict["trusted"] for node in nodes.values()}
    return 2 if "no" in found else 3 if "cannot-tell" in found else 0

"""``aiida-crucible launch``: one WorkChain from a structure and a model, without Python."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from aiida_crucible.cli.model import verify
from aiida_crucible.cli.root import OneLineErrors
from aiida_crucible.cli.run import ask
from aiida_crucible.cli.shared.options import JobOptions, require_broker, say, with_profile, yes_option

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import AbstractCode

    from aiida_crucible.nodes.model import ModelData

OVERRIDES = JobOptions("{parameters: {supercell_matrix: [2, 2, 2]}}")
LABEL_SETTINGS = JobOptions("{stride: 10, subset_key: source}")

EXAMPLES = """\b
Examples:
  aiida-crucible launch relax BaTiO3.cif -m chgnet
  aiida-crucible launch phonon Si:diamond:5.43 -m sevennet --protocol stringent
  aiida-crucible launch sweep 1234 -m chgnet -T 300:900:100 --submit
  aiida-crucible launch model-tests BaTiO3.cif -m mace:mp0b3 --labels dft.extxyz --theory PBE
  aiida-crucible launch map dft=2210 chgnet=2345 --code analysis
"""


@click.group(cls=OneLineErrors, epilog=EXAMPLES)
def launch() -> None:
    """Launch one WorkChain: relax, phonon, vibrations, sweep, anharmonicity, model-tests, map, benchmark, verify."""


def _shared(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command what all of them take, and run or submit the builder that it returns."""

    @click.option("--protocol", metavar="NAME", help="The WorkChain's default if left out.")
    @click.option("--overrides", type=OVERRIDES, default=dict, help="Inputs to set otherwise, as YAML or a file.")
    @click.option("--options", type=JobOptions(), default=dict, help="The jobs' options, e.g. '{queue_name: gpu}'.")
    @click.option("--code", metavar="CODE", help="Environment; the one of the family if left out.")
    @click.option("-c", "--computer", metavar="LABEL", help="Where to run; localhost if left out.")
    @click.option("--submit", is_flag=True, help="Hand it to the daemon instead of running it here.")
    @click.option("--dry-run", is_flag=True, help="Check everything, and end there.")
    @yes_option
    @with_profile
    @functools.wraps(function)
    def command(*, submit: bool, dry_run: bool, **given: Any) -> None:
        if submit:
            require_broker()
        builder: ProcessBuilder = function(**given)
        if dry_run:
            click.echo(f"{builder.process_class.__name__} is ready to run: nothing is wrong with its inputs")
            return
        _start(builder, submit)

    return command


def _start(builder: ProcessBuilder, is_submitted: bool) -> None:
    """Run or submit a WorkChain; tell its PK, and its summary once it has ended."""
    from aiida.engine import submit

    from aiida_crucible.monitoring.together import LeftToDaemonError, run_together

    if is_submitted:
        node = submit(builder)
        click.echo(f"PK {node.pk}; `aiida-crucible status {node.pk} --watch 10` shows how far it is")
        return
    name = builder.process_class.__name__.removesuffix("WorkChain")
    try:
        (node,) = run_together({name: builder}, to_stderr=True).values()
    except LeftToDaemonError as left:
        say(str(left))
        return
    if "summary" in node.outputs:
        click.echo(json.dumps(node.outputs.summary.get_dict(), indent=1))
    say(f"PK {node.pk} (`verdi process show {node.pk}`; `aiida-crucible report {node.pk}` makes a page of it)")
    if not node.is_finished_ok:
        raise click.ClickException(f"{node.exit_message}: see `verdi process report {node.pk}`")


def _place(model: str, given: dict[str, Any]) -> tuple[AbstractCode, ModelData]:
    """Return a model and its environment, which is made after asking where there is none."""
    from aiida_crucible.launch.environments import environment_of
    from aiida_crucible.launch.models import find_model

    node, yes = find_model(model), given.pop("yes")
    code = environment_of(
        node,
        code=given.pop("code"),
        computer=given.pop("computer"),
        may_create=lambda line: ask(line, yes),
        report=say,
    )
    return code, node


def _build(workflow: str, structure: str, model: str, given: dict[str, Any], **more: Any) -> ProcessBuilder:
    """Return the builder of a WorkChain of one crystal and one model."""
    from aiida.plugins import WorkflowFactory

    from aiida_crucible.launch.structures import read_structure

    crystal = read_structure(structure)
    code, node = _place(model, given)
    given["options"] = given["options"] or None
    builder: ProcessBuilder = WorkflowFactory(workflow).get_builder_from_protocol(code, node, crystal, **given, **more)
    return builder


_structure = click.argument("structure", metavar="FILE|PK|PROTOTYPE")
_model = click.option("-m", "--model", required=True, metavar="MODEL", help="Family, FAMILY:NAME, PK …")
_temperatures = click.option("-T", "--temperatures", metavar="K", help="300, 300,400 or FIRST:LAST:STEP.")


def _hot(temperatures: str | None) -> dict[str, Any]:
    from aiida_crucible.launch.requests import parse_temperatures

    return {"temperatures": parse_temperatures(temperatures)} if temperatures else {}


@launch.command(short_help="Relax a structure.")
@_structure
@_model
@_shared
def relax(structure: str, model: str, **given: Any) -> ProcessBuilder:
    """Relax a structure."""
    return _build("crucible.relax", structure, model, given)


@launch.command(short_help="Compute the phonons of a crystal.")
@_structure
@_model
@_shared
def phonon(structure: str, model: str, **given: Any) -> ProcessBuilder:
    """Relax a crystal and compute its phonons."""
    return _build("crucible.phonon", structure, model, given)


@launch.command(short_help="Compute the vibrations of a molecule or a slab.")
@_structure
@_model
@_temperatures
@_shared
def vibrations(structure: str, model: str, temperatures: str | None, **given: Any) -> ProcessBuilder:
    """Relax a molecule or a slab in its cell, compute its vibrations there and, with -T, run it hot."""
    return _build("crucible.vibrations", structure, model, given, **_hot(temperatures))


@launch.command(short_help="Run a crystal at many temperatures.")
@_structure
@_model
@_temperatures
@_shared
def sweep(structure: str, model: str, temperatures: str | None, **given: Any) -> ProcessBuilder:
    """Run a crystal at many temperatures, and say what it does at each and over all of them."""
    return _build("crucible.sweep", structure, model, given, **_hot(temperatures))


@launch.command(short_help="Measure how anharmonic a crystal is.")
@_structure
@_model
@_temperatures
@_shared
def anharmonicity(structure: str, model: str, temperatures: str | None, **given: Any) -> ProcessBuilder:
    """Measure how anharmonic a crystal is at temperatures, by the model's own force constants and runs."""
    return _build("crucible.anharmonicity", structure, model, given, **_hot(temperatures))


@launch.command("model-tests", short_help="Test a model: rotations, dimers, labels, robustness, energy.")
@_structure
@_model
@click.option("--test", "tests", multiple=True, metavar="NAME", help="Make only this test; may be repeated.")
@click.option("--labels", multiple=True, metavar="[NAME=]FILE", help="A labelled set (extxyz); may be repeated.")
@click.option("--theory", metavar="TEXT", help="Level of theory of the labels, e.g. PBEsol.")
@click.option("--model-theory", metavar="TEXT", help="That of the model, where its node does not know it.")
@click.option("--across-theories", is_flag=True, help="Compare other levels of theory, without a judgement.")
@click.option("--label-settings", type=LABEL_SETTINGS, default=dict, help="How to read them, as YAML or a file.")
@_shared
def model_tests(
    structure: str,
    model: str,
    tests: tuple[str, ...],
    labels: tuple[str, ...],
    theory: str | None,
    label_settings: dict[str, Any],
    **given: Any,
) -> ProcessBuilder:
    """Test a model: whether it turns with the structure, pairs of atoms, errors on labels, relaxations, energy."""
    from aiida_crucible.launch.model_tests import labels_of, parameters_of

    settings = {name: given.pop(name) for name in ("model_theory", "across_theories")}
    given["overrides"] = parameters_of(tests, settings, given["overrides"])
    sets = labels_of(labels, theory, label_settings)
    return _build("crucible.model_tests", structure, model, given, labels=sets)


@launch.command("map", short_help="Map the configurations of several trajectories.")
@click.argument("trajectories", nargs=-1, required=True, metavar="LABEL=PK …")
@_shared
def map_(trajectories: tuple[str, ...], **given: Any) -> ProcessBuilder:
    """Map the configurations that several trajectories have sampled, and say how much they overlap."""
    from aiida_crucible.environments.codes import find_code
    from aiida_crucible.nodes.lookup import find_node
    from aiida_crucible.workflows.configuration_space.workchain import ConfigurationSpaceWorkChain

    way = "`aiida-crucible reference import trajectory` makes a trajectory of a file"
    nodes = {label: find_node(pk, "trajectory", way) for label, pk in _assignments(trajectories).items()}
    return ConfigurationSpaceWorkChain.get_builder_from_protocol(
        find_code(given["code"] or "analysis"),
        nodes,
        given["protocol"],
        overrides=given["overrides"],
        options=given["options"] or None,
    )


@launch.command(short_help="Test models on many crystals against a reference model.")
@click.argument("structures", nargs=-1, required=True, metavar="LABEL=FILE|PK|PROTOTYPE …")
@click.option(
    "-m", "--model", "models", multiple=True, required=True, metavar="MODEL", help="Family, FAMILY:NAME, PK …"
)
@click.option("--reference-model", metavar="MODEL", help="Makes the reference; without it nothing is compared.")
@_shared
def benchmark(
    structures: tuple[str, ...], models: tuple[str, ...], reference_model: str | None, **given: Any
) -> ProcessBuilder:
    """Test models on many crystals: phonons and anharmonicity against those of a reference model."""
    from aiida_crucible.launch.structures import read_structure
    from aiida_crucible.workflows.benchmark.workchain import BenchmarkWorkChain

    crystals = {label: read_structure(source) for label, source in _assignments(structures).items()}
    if len(set(models)) < len(models):
        raise ValueError(f"a model is given twice: {', '.join(models)}; give each once")
    place = {name: given[name] for name in ("code", "computer", "yes")}
    return BenchmarkWorkChain.get_builder_from_protocol(
        {name.replace(":", "_").replace(".", "p"): _place(name, dict(place)) for name in models},
        crystals,
        given["protocol"],
        reference_model=None if reference_model is None else _place(reference_model, dict(place)),
        overrides=given["overrides"],
        options=given["options"] or None,
    )


def _assignments(texts: tuple[str, ...]) -> dict[str, str]:
    """Return values by their labels.

    :raises ValueError: one line, if one has no label, or another has the same.
    """
    values: dict[str, str] = {}
    for text in texts:
        label, separator, value = text.partition("=")
        if not separator or not label or not value:
            raise ValueError(f"{text!r} has no label: write LABEL=VALUE, e.g. cubic={value or text}")
        if label in values:
            raise ValueError(f"label {label!r} is given twice: give each another one, e.g. {label}_2={value}")
        values[label] = value
    return values


launch.add_command(verify)

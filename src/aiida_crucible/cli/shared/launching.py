"""What the commands share that start one WorkChain from a structure and a model."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from aiida_crucible.cli.run import ask
from aiida_crucible.cli.shared.options import JobOptions, require_broker, say, with_profile, yes_option

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import AbstractCode, ProcessNode

    from aiida_crucible.nodes.model import ModelData

OVERRIDES = JobOptions("{parameters: {supercell_matrix: [2, 2, 2]}}")


def launching(function: Callable[..., Any], show: Callable[[ProcessNode], None] | None = None) -> Callable[..., Any]:
    """Give a command what all of them take, and run or submit the builder that it returns.

    :param show: tells what was found; without it the output ``summary`` is written as JSON.
    """

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
        _start(builder, submit, show)

    return command


def _start(builder: ProcessBuilder, is_submitted: bool, show: Callable[[ProcessNode], None] | None) -> None:
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
    if "summary" in node.outputs and show is not None:
        show(node)
    elif "summary" in node.outputs:
        click.echo(json.dumps(node.outputs.summary.get_dict(), indent=1))
    if "verification" in node.outputs and (faults := node.outputs.verification["summary"]["faults"]):
        say(
            f"the model failed its verification ({', '.join(faults)}), and was used all the same, as the "
            "protocol has it: "
            "believe none of this before you have read `aiida-crucible model verify`"
        )
    say(f"PK {node.pk} (`verdi process show {node.pk}`; `aiida-crucible report {node.pk}` makes a page of it)")
    if not node.is_finished_ok:
        raise click.ClickException(f"{node.exit_message}: see `verdi process report {node.pk}`")


def place(model: str, given: dict[str, Any]) -> tuple[AbstractCode, ModelData]:
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


def build(workflow: str, structure: str, model: str, given: dict[str, Any], **more: Any) -> ProcessBuilder:
    """Return the builder of a WorkChain of one crystal and one model."""
    from aiida.plugins import WorkflowFactory

    from aiida_crucible.launch.structures import read_structure

    crystal = read_structure(structure)
    code, node = place(model, given)
    given["options"] = given["options"] or None
    builder: ProcessBuilder = WorkflowFactory(workflow).get_builder_from_protocol(code, node, crystal, **given, **more)
    return builder


def label_of(model: str) -> str:
    """Return a label of a model that AiiDA can name an input by, from what a user wrote."""
    words = "_".join(re.findall("[A-Za-z0-9]+", model.replace(".", "p")))
    return words if words[:1].isalpha() else f"model_{words}"


def by_label(models: Sequence[str]) -> dict[str, str]:
    """Return what a user wrote of models, by labels that AiiDA can name inputs by.

    :raises ValueError: one line, if one is given twice, or two of them have the same label.
    """
    found: dict[str, str] = {}
    for name in models:
        label = label_of(name)
        if found.get(label) == name:
            raise ValueError(f"a model is given twice: {', '.join(models)}; give each once")
        if label in found:
            raise ValueError(f"{found[label]} and {name} have the same label ({label}): give one of them by its PK")
        found[label] = name
    return found

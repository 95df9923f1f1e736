"""``aiida-crucible model``: which potentials there are, and the nodes that stand for them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_crucible.cli.root import OneLineErrors
from aiida_crucible.cli.shared.models import ENSEMBLE_SIZE, print_model, settings_of, theory_of
from aiida_crucible.cli.shared.options import DEVICE, FAMILY, Assignment, job_options, load_profile, say, with_profile
from aiida_crucible.cli.shared.tables import print_table

if TYPE_CHECKING:
    from crucible_engine.wire.schema import ModelReference


TRUST_PICKLE = click.option(
    "--trust-pickle", is_flag=True, help="The file may be unpickled, which can run any code in it."
)
TRUST_CODE = click.option("--trust-code", is_flag=True, help="The code that the settings name may run (family ase).")


@click.group(cls=OneLineErrors)
def model() -> None:
    """Models: list what is known, add one, show it, verify it in an environment."""


@model.command("list", short_help="List the released weights that are known, and the models of this profile.")
@click.option("-f", "--family", type=FAMILY, help="Only this family.")
@click.option("-p", "--profile", metavar="NAME", help="AiiDA profile; the default one if left out.")
def list_(family: str | None, profile: str | None) -> None:
    """List the released weights that are known, and the models of this profile."""
    from crucible_engine.families.registry import FAMILIES

    nodes_missing = None
    try:
        load_profile(profile)
    except click.ClickException as problem:
        if profile is not None:
            raise
        nodes_missing = problem.message
    rows = [
        (
            entry.name,
            f"{named.name} (default)" if named.name == entry.default_name else named.name,
            theory_of(named.functional, named.hubbard_u, named.dispersion),
            named.training_set,
            len(named.elements) or None,
            entry.maturity,
            named.licence,
        )
        for entry in FAMILIES.values()
        for named in entry.names.values()
        if family in (None, entry.name)
    ]
    print_table(("family", "name", "theory", "training set", "elements", "maturity", "licence"), rows)
    click.echo()
    if nodes_missing is None:
        _list_nodes(family)
    else:
        say(f"No models of yours are shown: {nodes_missing}")


@model.command("add", short_help="Make (or find) the node of a potential.")
@click.argument("family", type=FAMILY)
@click.argument("name", metavar="NAME|FILE", required=False)
@click.option("--dtype", metavar="DTYPE", help="float32 or float64; the family's own if left out.")
@click.option("-s", "--setting", "settings", type=Assignment(), multiple=True, help="E.g. modal=mpa; may be repeated.")
@click.option("--with", "others", metavar="FILE", multiple=True, help="Another member of a committee; may be repeated.")
@click.option("-c", "--computer", metavar="LABEL", help="The file lies on this computer and stays there.")
@click.option("--code", metavar="CODE", help="Environment that loads the file and says which elements it knows.")
@TRUST_PICKLE
@TRUST_CODE
@click.option("--label", metavar="LABEL", help="Label of the node.")
@job_options
@with_profile
def add(
    *,
    family: str,
    name: str | None,
    dtype: str | None,
    settings: tuple[tuple[str, Any], ...],
    others: tuple[str, ...],
    computer: str | None,
    code: str | None,
    trust_pickle: bool,
    trust_code: bool,
    label: str | None,
    options: dict[str, Any],
) -> None:
    """Make the node of a potential, or find it: the same potential is the same node.

    With --with several files are one potential, a committee: its answers are their mean, and where the members differ
    the model does not know.

    Without NAME it is the family's default. A FILE (for some
    families a folder) is kept in the node, unless it lies on a --computer. With --code the
    engine loads the file there and says which elements it knows; without, nobody can check a structure beforehand.
    """
    from aiida_crucible.environments.codes import find_computer
    from aiida_crucible.nodes.file_digest import is_file, is_folder
    from aiida_crucible.nodes.model import ModelData
    from crucible_engine.families.registry import find_family
    from crucible_engine.wire.schema import ModelReference

    place = find_computer(computer) if computer else None
    names_file = name is not None and (
        computer is not None or "/" in name or is_file(Path(name)) or is_folder(Path(name))
    )
    checkpoint = name if names_file else None
    found: dict[str, Any] = {}
    if others and checkpoint is None:
        raise ValueError(
            f"--with adds to a committee of files, and {name or 'the default'!r} is none: give a file first"
        )
    if checkpoint is not None and code is not None:
        reference = ModelReference(
            family,
            checkpoint=checkpoint,
            dtype=dtype or find_family(family).default_dtype,
            settings=dict(settings),
            trust_pickle=trust_pickle,
        )
        found = _describe(reference, computer, code, options)
        for number, other in enumerate(others, start=2):
            member = _describe(replace(reference, checkpoint=other), computer, code, options)
            _require_same_elements(number, found["elements"], member["elements"])
    elif code is not None:
        raise ValueError(f"--code describes a checkpoint file, and {name or 'the default'!r} is none: leave it out")
    node = ModelData.get_or_create(
        family,
        None if checkpoint else name,
        checkpoint=None if others else checkpoint,
        committee=(checkpoint, *others) if checkpoint is not None and others else (),
        computer=place,
        dtype=dtype,
        settings=dict(settings),
        trust_pickle=trust_pickle,
        trust_code=trust_code,
        **({"elements": found["elements"]} if found else {}),
    )
    if label is not None:
        node.label = label
    if found.get("ensemble_size"):
        node.base.extras.set(ENSEMBLE_SIZE, found["ensemble_size"])
    print_model(node)
    if checkpoint is not None and node.elements is None:
        say(f"Its elements are unknown: `aiida-crucible model add {family} {name} --code …` lets the engine tell.")


@model.command("show", short_help="Show all that is known of a model.")
@click.argument("name", metavar="PK|LABEL")
@with_profile
def show(name: str) -> None:
    """Show all that is known of a model of this profile.

    It is named by its PK, its UUID, its label, or its title such as "chgnet 0.3.0".
    """
    from aiida_crucible.launch.models import find_model

    print_model(find_model(name).store())


@model.command("verify", short_help="Verify a model in an environment before it is believed.")
@click.argument("name", metavar="FAMILY|PK|LABEL")
@click.option("--code", metavar="CODE", help="Environment to verify it in; the one named as the family if left out.")
@click.option(
    "--device", metavar="DEVICE", default="auto", show_default=True, type=DEVICE, help="auto, cpu, cuda, cuda:1 …"
)
@click.option("--again", is_flag=True, help="Verify anew what was verified before.")
@TRUST_PICKLE
@TRUST_CODE
@job_options
@with_profile
def verify(
    *,
    name: str,
    code: str | None,
    device: str,
    again: bool,
    trust_pickle: bool,
    trust_code: bool,
    options: dict[str, Any],
) -> None:
    """Verify a model in an environment: forces, stress, invariances, determinism, the stored fingerprint.

    A verification that was made before is found and shown, if the environment still loads what was verified then. It
    exits with 1 if the model fails.
    """
    from aiida.engine import run_get_node

    from aiida_crucible.calculations.validation import check_environment, check_trust
    from aiida_crucible.calculations.verifications import find_verification
    from aiida_crucible.environments.codes import find_code
    from aiida_crucible.environments.script_job import sha256_now
    from aiida_crucible.launch.models import find_model
    from aiida_crucible.report.verification import format_verification
    from aiida_crucible.workflows.verify.workchain import VerifyWorkChain

    node = find_model(name)
    place = find_code(code or node.family)
    check_environment(place, node)
    if (trust_pickle and node.is_checkpoint) or (trust_code and node.runs_code):
        node.trust()
    check_trust(node)
    found = None if again else find_verification(place, node, device=device)
    if found is not None:
        verified = found.outputs.results.get_dict()["model"]["sha256"]
        say(f"verified before by PK {found.pk} on {found.ctime:%Y-%m-%d}; asking {place.full_label} what it loads now")
        again = sha256_now(place, node, options) != verified
        say(f"it is {'no longer' if again else 'still'} sha256 {verified[:12]}…")
    builder = VerifyWorkChain.get_builder_from_protocol(
        place, node, overrides={"again": again}, options={**options, "device": device}
    )
    node.store()  # not before all else is known to be right
    say(f"verifying {node.title} (PK {node.pk}) in {place.full_label}")
    outputs, process = run_get_node(builder)
    if "results" not in outputs:
        raise ValueError(f"{process.exit_message or process.process_state}: see `verdi process report {process.pk}`")
    click.echo(format_verification(outputs["results"].get_dict()))
    click.echo(f"provenance: `verdi process show {process.pk}`")
    if not process.is_finished_ok:
        raise click.exceptions.Exit(1)


def _describe(reference: ModelReference, computer: str | None, code: str, options: dict[str, Any]) -> dict[str, Any]:
    from aiida_crucible.environments.codes import find_environment
    from aiida_crucible.environments.script_job import describe_checkpoint, path_on_computer

    environment = find_environment(code)
    path = path_on_computer(str(reference.checkpoint), computer, environment)
    say(f"loading {path} in {environment.code.full_label}")
    return describe_checkpoint(environment, replace(reference, checkpoint=path), options)


def _require_same_elements(number: int, first: Collection[str], other: Collection[str]) -> None:
    """Refuse a member of a committee that knows other elements than the first one.

    :raises ValueError: one line.
    """
    if differing := ", ".join(sorted(set(first) ^ set(other))):
        raise ValueError(
            f"the committee's members 1 and {number} do not know the same elements ({differing} only in one of them): "
            "train all on data of the same elements"
        )


def _list_nodes(family: str | None) -> None:
    from aiida.orm import QueryBuilder

    from aiida_crucible.nodes.model import ModelData

    query = QueryBuilder().append(ModelData).order_by({ModelData: {"id": "asc"}})
    nodes = [node for node in query.all(flat=True) if family in (None, node.family)]
    if not nodes:
        click.echo("No model in this profile yet: `aiida-crucible model add FAMILY` makes one.")
        return
    rows = [
        (
            node.pk,
            node.label,
            node.title,
            node.dtype,
            settings_of(node),
            len(node.elements) if node.elements else None,
        )
        for node in nodes
    ]
    print_table(("PK", "label", "model", "dtype", "settings", "elements"), rows)

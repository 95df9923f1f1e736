"""``aiida-crucible env``: one Python environment a model family."""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath

import click

from aiida_crucible.cli.root import OneLineErrors
from aiida_crucible.cli.shared.options import ENVIRONMENT, job_options, load_profile, say, with_profile, yes_option
from aiida_crucible.cli.shared.tables import print_table

LOCALHOST = "localhost"


@click.group(cls=OneLineErrors)
def env() -> None:
    """Environments of the model families: create, list, check, remove.

    Each family runs in a Python of its own, made from a lock and registered as a Code such as chgnet@localhost; so do
    the tools that compare configurations (analysis).
    """


@env.command("create", short_help="Create an environment and register its Code.")
@click.argument("family", type=ENVIRONMENT)
@click.option("-c", "--computer", metavar="LABEL", help="AiiDA computer; localhost if left out.")
@click.option("--torch", metavar="BUILD", help="cpu, cuda, cu128 …, or a version; what fits the computer if left out.")
@click.option("--python", metavar="PYTHON", help="Version (3.10 to 3.13) or path; the computer's own if left out.")
@click.option("--source", metavar="PATH", help="Folder or archive, on the computer, of a package that is on no index.")
@click.option("--label", metavar="LABEL", help="Label of the Code; the family's name if left out.")
@click.option(
    "--root",
    metavar="FOLDER",
    callback=lambda ctx, param, value: require_absolute(value),
    help="Folder for this computer's environments, remembered from now on.",
)
@click.option("--dry-run", is_flag=True, help="Print the recipe as a bash script and do nothing.")
@click.option("-p", "--profile", metavar="NAME", help="AiiDA profile; the default one if left out.")
@yes_option
def create(
    *,
    family: str,
    computer: str | None,
    torch: str | None,
    python: str | None,
    source: str | None,
    label: str | None,
    root: str | None,
    dry_run: bool,
    profile: str | None,
    yes: bool,
) -> None:
    """Create FAMILY's environment and register it as a Code, e.g. chgnet@localhost.

    Whatever exists already is found and not made again. uv's own settings (UV_INDEX_URL, UV_FIND_LINKS …) hold.
    """
    if dry_run and computer is None:
        from aiida_crucible.environments import local

        here = Path(root) if root else None
        click.echo(local.recipe(family, python=python, torch=torch, source=source, root=here), nl=False)
        return
    load_profile(profile)

    from aiida_crucible.environments.codes import find_computer
    from aiida_crucible.environments.manage import Request, create_environment, recipe_for
    from aiida_crucible.environments.problems import CudaRefusedError

    request = Request(family, torch, python, source)
    place = find_computer(computer or LOCALHOST)
    if dry_run:
        click.echo(recipe_for(request, place, root), nl=False)
        return
    choices = {"label": label, "root": root}
    try:
        code = create_environment(request, place, **choices, accept_cuda=yes, report=say)
    except CudaRefusedError as refusal:
        if not is_interactive() or not click.confirm(f"{refusal}.\nDownload it all the same?", err=True):
            raise
        code = create_environment(request, place, **choices, accept_cuda=True, report=say)
    click.echo(f"{code.full_label} (PK {code.pk}): {code.description}")


@env.command("list", short_help="List the environments.")
@click.option("-a", "--all", "include_retired", is_flag=True, help="Show retired ones as well.")
@with_profile
def list_(include_retired: bool) -> None:
    """List the environments of this profile, and those on this machine that have no Code."""
    from aiida_crucible.environments import local
    from aiida_crucible.environments.codes import registered_environments

    known = list(registered_environments(include_retired=True))
    rows: list[tuple[object, ...]] = [
        (
            item.content["family"],
            item.code.full_label,
            item.state,
            f"{item.content['package']} {item.content['version']}",
            item.content["torch"],
            item.content["python"],
            f"{item.content['megabytes']} MB",
            item.folder,
        )
        for item in known
        if include_retired or not item.code.is_hidden
    ]
    registered = {str(item.folder) for item in known if not item.code.is_hidden}
    for folder, content in local.environments_here():
        if str(folder) not in registered:
            facts = (content["torch"], content["python"], f"{content['megabytes']} MB", folder)
            rows.append((content["family"], "", "no code", "", *facts))
    if not rows:
        click.echo("no environments yet: `aiida-crucible env create FAMILY` makes one")
        return
    print_table(("family", "code", "state", "package", "torch", "python", "size", "folder"), rows)


@env.command("remove", short_help="Delete an environment.")
@click.argument("name", metavar="CODE|FOLDER")
@click.option("-c", "--computer", metavar="LABEL", help="AiiDA computer.")
@yes_option
@with_profile
def remove(name: str, computer: str | None, yes: bool) -> None:
    """Delete an environment and hide its Code; the provenance of what ran with it stays.

    CODE is a label such as chgnet or chgnet@localhost; FOLDER the name of one on this machine that has no Code.
    """
    from aiida_crucible.environments import local
    from aiida_crucible.environments.codes import find_computer, find_environment, registered_environments
    from aiida_crucible.environments.manage import remove_environment

    without_code = local.default_root() / name
    registered = {str(item.folder) for item in registered_environments()}
    if computer is None and local.is_complete(without_code) and str(without_code) not in registered:
        if yes or click.confirm(f"Delete {without_code}?", abort=True):
            local.remove(without_code)
        click.echo(f"{without_code} is deleted")
        return
    environment = find_environment(name, find_computer(computer) if computer else None)
    label, folder = environment.code.full_label, environment.folder
    if not yes:
        click.confirm(f"Delete {folder} of {label} on computer {environment.code.computer.label}?", abort=True)
    remove_environment(environment)
    click.echo(f"{label} is removed; its Code is now {environment.code.full_label}, hidden")


@env.command("check", short_help="Probe an environment: package, torch, GPU, a tiny evaluation.")
@click.argument("name", metavar="CODE")
@click.option("-c", "--computer", metavar="LABEL", help="AiiDA computer.")
@job_options
@with_profile
def check(name: str, computer: str | None, options: dict[str, object]) -> None:
    """Run a probe in an environment: package, versions, torch, GPU, driver, and a tiny evaluation.

    The probe is a job of the computer, with provenance. It exits with 1 if anything is wrong.
    """
    from aiida_crucible.environments.codes import find_computer, find_environment
    from aiida_crucible.environments.script_job import check_environment

    environment = find_environment(name, find_computer(computer) if computer else None)
    say(f"probing {environment.code.full_label} on {environment.code.computer.label}")
    findings, process = check_environment(environment, options)
    print_table(("check", "status", "found"), [(item.name, item.status, item.message) for item in findings])
    click.echo(f"provenance: `verdi process show {process.pk}`")
    if any(item.status == "failed" for item in findings):
        raise click.exceptions.Exit(1)


def require_absolute(folder: str | None) -> str | None:
    """Return the folder, which jobs find from wherever they run.

    :raises ValueError: one line, if its path is relative.
    """
    if folder is not None and not PurePosixPath(folder).is_absolute():
        raise ValueError(f"--root is {folder!r}, a relative path: give an absolute one")
    return folder


def is_interactive() -> bool:
    """Return whether there is somebody to ask."""
    return sys.stdin.isatty()

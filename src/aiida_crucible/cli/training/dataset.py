"""``aiida-crucible dataset``: labelled frames that models are trained on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from aiida_crucible.cli.root import OneLineErrors
from aiida_crucible.cli.shared.options import Assignment, say, with_profile
from aiida_crucible.cli.shared.tables import print_part, print_record, print_table

if TYPE_CHECKING:
    from aiida_crucible.nodes.training.dataset import DatasetData

EXAMPLES = """\b
Examples:
  aiida-crucible dataset import dft.extxyz --theory PBEsol
  aiida-crucible dataset import run.traj other.traj --theory PBE --split source --validation-of other.traj
  aiida-crucible dataset import dft.extxyz --theory PBE -s stress_unit=GPa -s stride=5
"""


@click.group(cls=OneLineErrors)
def dataset() -> None:
    """Datasets: labelled frames, examined and split, that a model is trained on."""


SETTING = click.option(
    "-s",
    "--setting",
    "settings",
    type=Assignment("stress_unit=GPa"),
    multiple=True,
    help="How files are read, e.g. stress_unit=GPa; may be repeated.",
)


SIDES = (
    click.option("--split", type=click.Choice(["random", "source", "temperature"]), help="Random if left out."),
    click.option("--validation", type=float, metavar="SHARE", help="Share of a random split for validation; 0.1."),
    click.option("--test", type=float, metavar="SHARE", help="Share of a random split for the test; 0.1."),
    click.option("--validation-of", multiple=True, metavar="WORD", help="Source or temperature for validation."),
    click.option("--test-of", multiple=True, metavar="WORD", help="Source or temperature for the test."),
    click.option("--seed", type=int, metavar="N", help="Of the random split; 0."),
    click.option("--block-length", type=int, metavar="N", help="Frames in a row that stay on one side."),
)


def _sides(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which frames are trained on, validated with and kept for the test."""
    return functools.reduce(lambda command, option: option(command), reversed(SIDES), function)


@dataset.command("import", short_help="Import labelled frames from files or nodes.", epilog=EXAMPLES)
@click.argument("sources", nargs=-1, required=True, metavar="FILE|PK …")
@click.option("--theory", metavar="TEXT", help="Level of theory of the labels, e.g. PBEsol.")
@_sides
@SETTING
@click.option("--label", metavar="LABEL", help="Label of the node.")
@with_profile
def import_(sources: tuple[str, ...], label: str | None, settings: tuple[tuple[str, Any], ...], **given: Any) -> None:
    """Import labelled frames as one dataset; what does not fit is refused, and leaves nothing behind.

    Files are extxyz, ASE's .traj or .db, vasprun.xml, or folders of deepmd; nodes are datasets, or trajectories with
    energies and forces.
    """
    from aiida_crucible.datasets.from_files import import_dataset

    node = import_dataset(list(sources), **settings_of(given), **dict(settings))
    if label is not None:
        node.label = label
    show_dataset(node)


def settings_of(given: dict[str, Any]) -> dict[str, Any]:
    """Return options that were given as settings of an import or split."""
    settings = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
    settings = {name: value for name, value in settings.items() if value not in (None, [])}
    if settings.get("split") == "temperature":
        for name in ("validation_of", "test_of"):
            settings[name] = [_number(name, word) for word in settings.get(name, [])]
    return {name: value for name, value in settings.items() if value != []}


def _number(name: str, word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise click.BadParameter(
            f"--{name.replace('_', '-')} is {word!r}: give a temperature in K, as in 300"
        ) from None


@dataset.command("split", short_help="Put the frames of a dataset on other sides.")
@click.argument("name", metavar="PK")
@_sides
@with_profile
def split(name: str, **given: Any) -> None:
    """Make a dataset with the frames of another on other sides."""
    from aiida_crucible.datasets.from_files import find_dataset, split_dataset

    show_dataset(split_dataset(find_dataset(name), **settings_of(given)))


@dataset.command("list", short_help="List the datasets of this profile.")
@with_profile
def list_() -> None:
    """List the datasets of this profile."""
    from aiida.orm import QueryBuilder

    from aiida_crucible.nodes.training.dataset import DatasetData

    nodes: list[DatasetData] = QueryBuilder().append(DatasetData).order_by({DatasetData: "id"}).all(flat=True)
    if not nodes:
        say("There is no dataset in this profile yet: `aiida-crucible dataset import FILE` makes one")
        return
    rows = [
        (
            node.pk,
            node.label,
            ", ".join(node.examination["compositions"]),
            node.n_frames,
            node.theory,
            node.base.attributes.get("split")["split"],
            "shifted" if node.energy_shift else None,
        )
        for node in nodes
    ]
    print_table(("PK", "label", "compositions", "frames", "theory", "split", "energies"), rows)


@dataset.command(short_help="Show what a dataset holds.")
@click.argument("name", metavar="PK")
@with_profile
def show(name: str) -> None:
    """Show what a dataset holds, by its PK, UUID or label."""
    from aiida_crucible.datasets.from_files import find_dataset

    show_dataset(find_dataset(name))


UNITS = {
    "atoms": ("atoms", ""),
    "volume_per_atom": ("volume an atom", "Å³"),
    "energy_per_atom": ("energy an atom", "eV"),
    "force": ("force on an atom", "eV/Å"),
    "stress": ("stress", "GPa"),
}


def show_dataset(node: DatasetData) -> None:
    """Print all that is known of a dataset."""
    held = node.examination
    print_record(
        [
            ("dataset", node.title),
            ("PK", node.pk),
            ("theory", node.theory),
            ("files", ", ".join(file["name"] for file in node.base.attributes.get("files"))),
            ("elements", " ".join(node.elements)),
            ("compositions", _counted(held["compositions"])),
            ("sources", _counted(held["sources"])),
            ("temperatures", _counted({f"{name} K": count for name, count in held["temperatures"].items()})),
            ("stresses", "yes" if not held["n_without_stress"] else f"{held['n_without_stress']} frames have none"),
            ("duplicates", _duplicates(held["duplicates"])),
            ("outliers", str(held["outliers"]["count"] or "none")),
            ("energies", (node.energy_shift or {}).get("how")),
        ]
    )
    print_part(
        ("", "from", "to", "unit"),
        [(title, *(f"{value:.6g}" for value in held["ranges"][name]), unit)
         for name, (title, unit) in UNITS.items() if name in held["ranges"]],
    )  # fmt: skip
    print_part(
        ("side", "frames", "blocks"),
        [(name, side["n_frames"], side["n_blocks"]) for name, side in held["sides"].items()],
    )
    print_part(
        ("outlier", "what", "value", "usual"),
        [(each["frame"], each["what"], f"{each['value']:.4g}", f"{each['usual']:.4g}")
         for each in held["outliers"]["frames"]],
    )  # fmt: skip


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in counts.items() if name)


def _duplicates(found: dict[str, Any]) -> str:
    if not found["count"]:
        return "none"
    pairs = ", ".join(f"{second} of {first}" for first, second in found["pairs"])
    return f"{found['count']}: frame {pairs}"

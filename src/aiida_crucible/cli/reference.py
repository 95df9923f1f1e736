"""``aiida-crucible reference``: what models are compared with, from files of other programs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_crucible.cli.root import OneLineErrors
from aiida_crucible.cli.shared.matrices import PRIMITIVE, SUPERCELL, MatrixCommand, PrimitiveMatrix, SupercellMatrix
from aiida_crucible.cli.shared.options import say, with_profile
from aiida_crucible.cli.shared.tables import print_record

if TYPE_CHECKING:
    from aiida.orm import Data, Dict, StructureData

FILE = click.Path(path_type=Path)


def citation_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say where a reference comes from."""
    for option in (
        click.option("--label", metavar="LABEL", help="Label of the nodes."),
        click.option("--comment", metavar="TEXT", help="Whatever else should be known."),
        click.option("--doi", metavar="DOI", help="Where it was published."),
        click.option("--theory", metavar="TEXT", help="Level of theory, e.g. PBE; or experiment."),
    ):
        function = option(function)
    return function


@click.group(cls=OneLineErrors)
def reference() -> None:
    """Import references to compare models with: force constants, trajectories, plain values."""


@reference.group("import", cls=OneLineErrors)
def import_() -> None:
    """Import a reference from a file; what does not fit is refused, and leaves nothing behind."""


@import_.command("phonons", cls=MatrixCommand, short_help="Force constants from phonopy's files.")
@click.argument("file", type=FILE)
@click.option(
    "--structure", type=FILE, metavar="FILE", help="The crystal: phonopy's yaml, or the unit cell (POSCAR …)."
)
@click.option(
    SUPERCELL,
    "supercell_matrix",
    type=SupercellMatrix(),
    metavar="N N N",
    help="Three whole numbers, or nine row by row, where no file says them.",
)
@click.option(
    PRIMITIVE,
    "primitive_matrix",
    type=PrimitiveMatrix(),
    metavar="CELL",
    help="P, F, I, A, C, R or nine numbers row by row (0 1/2 1/2 …), where no file says it; looked for if left out.",
)
@click.option("--born", type=FILE, metavar="FILE", help="Phonopy's file of Born charges.")
@click.option(
    "--calculator", metavar="NAME", help="Phonopy's name of the program whose units a file is in; vasp if none."
)
@click.option(
    "--symmetry-tolerance", type=float, metavar="Å", help="Of the symmetry search; the file's own if left out."
)
@citation_options
@with_profile
def phonons(file: Path, label: str | None, structure: Path | None, born: Path | None, **settings: Any) -> None:
    """Import force constants: FILE is phonopy_params.yaml, FORCE_SETS, FORCE_CONSTANTS or force_constants.hdf5.

    FORCE_SETS and force constants need their crystal as well: --structure phonopy.yaml, or --structure POSCAR with
    --supercell 2 2 2 and, if it was another than the smallest, --primitive P. Any of them may be compressed.
    """
    from aiida_crucible.references.from_files import import_phonons

    _print_nodes(import_phonons(file, structure, born=born, **_given(settings)), label)


@import_.command("trajectory", short_help="Frames with forces from extxyz, vasprun.xml or ASE's .traj.")
@click.argument("file", type=FILE)
@click.option("--structure", metavar="FILE|PK", help="The crystal: its unit cell or supercell, whose order is kept.")
@click.option("--format", type=click.Choice(["extxyz", "traj", "vasprun"]), help="By the file's name if left out.")
@click.option("--start", type=int, metavar="N", help="First frame to import, from 0.")
@click.option("--stop", type=int, metavar="N", help="Frame to stop before.")
@click.option("--stride", type=int, metavar="N", help="Import every so many-th frame.")
@click.option("--time-step", type=float, metavar="FS", help="Time between frames of the file, fs.")
@click.option("--temperature", type=float, metavar="K", help="Of the run.")
@click.option("--without-forces", "forces", flag_value="optional", help="Take frames that have no forces.")
@click.option("--forces-key", metavar="NAME", help="Name of the forces in an extxyz file.")
@click.option("--energy-key", metavar="NAME", help="Name of the energy in an extxyz file.")
@click.option("--length-unit", metavar="UNIT", help="angstrom or bohr.")
@click.option("--force-unit", metavar="UNIT", help="eV/angstrom, Ry/bohr, Hartree/bohr or eV/bohr.")
@citation_options
@with_profile
def trajectory(file: Path, label: str | None, structure: str | None, **settings: Any) -> None:
    """Import a trajectory of any length; only the frames that are kept are ever in memory.

    With --structure the atoms are put into its order, and it is refused if it is another crystal.
    """
    from aiida_crucible.references.from_files import import_trajectory

    crystal = None if structure is None else _find_structure(structure)
    _print_nodes(import_trajectory(file, crystal, **_given(settings)), label)


@import_.command("values", short_help="Lattice parameters, energies, a transition temperature from YAML.")
@click.argument("file", type=FILE)
@citation_options
@with_profile
def values(file: Path, label: str | None, **settings: Any) -> None:
    """Import plain values from a YAML or JSON file.

    They are any of lattice (a, b, c, c_over_a, volume … in Å and degrees), energy_differences (eV a formula unit, by
    phase), transition_temperature (K) and source.
    """
    from aiida_crucible.references.from_files import import_values

    _print_nodes({"reference": import_values(file, **_given(settings))}, label)


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in settings.items() if value is not None}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}


def _find_structure(name: str) -> StructureData:
    """Return the structure of a node, or of a file, see :func:`aiida_crucible.references.foreign_files.read_atoms`.

    :raises ValueError: one line, if it is neither.
    """
    from aiida.orm import StructureData

    from aiida_crucible.nodes.file_digest import is_file
    from aiida_crucible.nodes.lookup import find_node
    from aiida_crucible.nodes.structures import from_atoms
    from aiida_crucible.references.phonopy.atom_order import read_structure

    if is_file(Path(name)):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            structure = from_atoms(read_structure(Path(name)))
        for warning in said:
            say(f"Warning: {warning.message}")
        return structure
    node = find_node(name, "structure", "or a file that ASE reads")
    if not isinstance(node, StructureData):
        raise ValueError(f"node {name} is a {type(node).__name__}, no structure: give a file or the PK of a structure")
    return node


def _print_nodes(nodes: dict[str, Data] | dict[str, Dict], label: str | None) -> None:
    """Write what was imported, a line each, and warnings where they are seen."""
    rows: list[tuple[str, object]] = []
    for name, node in nodes.items():
        if label is not None:
            node.label = label
        rows.append((name.replace("_", " "), f"PK {node.pk}"))
    print_record(rows)
    summary = nodes.get("summary")
    for warning in [] if summary is None else summary["warnings"]:
        say(f"Warning: {warning}")

"""``aiida-crucible launch``: one WorkChain from a structure and a model, without Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aiida_crucible.cli.model import verify
from aiida_crucible.cli.root import OneLineErrors
from aiida_crucible.cli.shared.launching import build, by_label, launching, place
from aiida_crucible.cli.shared.options import JobOptions

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder

REFERENCE = JobOptions("{bulk_modulus: 140}")
LABEL_SETTINGS = JobOptions("{stride: 10, subset_key: source}")

EXAMPLES = """\b
Examples:
  aiida-crucible launch relax BaTiO3.cif -m chgnet
  aiida-crucible launch phonon Si:diamond:5.43 -m sevennet --protocol stringent
  aiida-crucible launch elastic Cu:fcc -m mace --reference '{bulk_modulus: 140}'
  aiida-crucible launch sweep 1234 -m chgnet -T 300:900:100 --submit
  aiida-crucible launch model-tests BaTiO3.cif -m mace:mp0b3 --labels dft.extxyz --theory PBE
  aiida-crucible launch map dft=2210 chgnet=2345 --code analysis
"""


@click.group(cls=OneLineErrors, epilog=EXAMPLES)
def launch() -> None:
    """Launch one WorkChain: relax, phonon, elastic, sweep, anharmonicity, model-tests, map, benchmark, verify, more."""


_structure = click.argument("structure", metavar="FILE|PK|PROTOTYPE")
_model = click.option("-m", "--model", required=True, metavar="MODEL", help="Family, FAMILY:NAME, PK …")
_reference = click.option(
    "--reference", type=REFERENCE, default=dict, help="What is known, as YAML or a file: '{bulk_modulus: 140}' (GPa) …"
)
_temperatures = click.option("-T", "--temperatures", metavar="K", help="300, 300,400 or FIRST:LAST:STEP.")


def _hot(temperatures: str | None) -> dict[str, Any]:
    from aiida_crucible.launch.requests import parse_temperatures

    return {"temperatures": parse_temperatures(temperatures)} if temperatures else {}


@launch.command(short_help="Relax a structure.")
@_structure
@_model
@launching
def relax(structure: str, model: str, **given: Any) -> ProcessBuilder:
    """Relax a structure."""
    return build("crucible.relax", structure, model, given)


@launch.command(short_help="Compute the phonons of a crystal.")
@_structure
@_model
@launching
def phonon(structure: str, model: str, **given: Any) -> ProcessBuilder:
    """Relax a crystal and compute its phonons."""
    return build("crucible.phonon", structure, model, given)


@launch.command("equation-of-state", short_help="Fit the energies of a crystal at other volumes.")
@_structure
@_model
@_reference
@launching
def equation_of_state(structure: str, model: str, reference: dict[str, Any], **given: Any) -> ProcessBuilder:
    """Relax a crystal and fit its energies at other volumes: equilibrium volume and bulk modulus."""
    return build("crucible.equation_of_state", structure, model, given, reference=reference or None)


@launch.command(short_help="Compute the elastic tensor of a crystal.")
@_structure
@_model
@_reference
@launching
def elastic(structure: str, model: str, reference: dict[str, Any], **given: Any) -> ProcessBuilder:
    """Relax a crystal, strain it, and say whether it is stable, with its elastic tensor and moduli."""
    return build("crucible.elastic", structure, model, given, reference=reference or None)


@launch.command(short_help="Heat a crystal: thermal expansion and heat capacity.")
@_structure
@_model
@_reference
@launching
def qha(structure: str, model: str, reference: dict[str, Any], **given: Any) -> ProcessBuilder:
    """Relax a crystal and heat it in the quasi-harmonic approximation: thermal expansion, heat capacity, moduli."""
    return build("crucible.qha", structure, model, given, reference=reference or None)


@launch.command(short_help="Compute the lattice thermal conductivity of a crystal.")
@_structure
@_model
@_reference
@launching
def conductivity(structure: str, model: str, reference: dict[str, Any], **given: Any) -> ProcessBuilder:
    """Relax a crystal, compute its phonons and their third order, and say how much heat they carry (with phono3py)."""
    return build("crucible.conductivity", structure, model, given, reference=reference or None)


@launch.command(short_help="Compute the vibrations of a molecule or a slab.")
@_structure
@_model
@_temperatures
@launching
def vibrations(structure: str, model: str, temperatures: str | None, **given: Any) -> ProcessBuilder:
    """Relax a molecule or a slab in its cell, compute its vibrations there and, with -T, run it hot."""
    return build("crucible.vibrations", structure, model, given, **_hot(temperatures))


@launch.command(short_help="Run a crystal at many temperatures.")
@_structure
@_model
@_temperatures
@launching
def sweep(structure: str, model: str, temperatures: str | None, **given: Any) -> ProcessBuilder:
    """Run a crystal at many temperatures, and say what it does at each and over all of them."""
    return build("crucible.sweep", structure, model, given, **_hot(temperatures))


@launch.command(short_help="Measure how anharmonic a crystal is.")
@_structure
@_model
@_temperatures
@launching
def anharmonicity(structure: str, model: str, temperatures: str | None, **given: Any) -> ProcessBuilder:
    """Measure how anharmonic a crystal is at temperatures, by the model's own force constants and runs."""
    return build("crucible.anharmonicity", structure, model, given, **_hot(temperatures))


@launch.command("model-tests", short_help="Test a model: rotations, dimers, labels, robustness, energy.")
@_structure
@_model
@click.option("--test", "tests", multiple=True, metavar="NAME", help="Make only this test; may be repeated.")
@click.option("--labels", multiple=True, metavar="[NAME=]FILE", help="A labelled set (extxyz); may be repeated.")
@click.option("--theory", metavar="TEXT", help="Level of theory of the labels, e.g. PBEsol.")
@click.option("--model-theory", metavar="TEXT", help="That of the model, where its node does not know it.")
@click.option("--across-theories", is_flag=True, help="Compare other levels of theory, without a judgement.")
@click.option("--label-settings", type=LABEL_SETTINGS, default=dict, help="How to read them, as YAML or a file.")
@launching
def model_tests(
    structure: str,
    model: str,
    *,
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
    return build("crucible.model_tests", structure, model, given, labels=sets)


@launch.command(short_help="Time force calls of models against the number of atoms.")
@_structure
@click.option("-m", "--model", "models", multiple=True, required=True, metavar="MODEL", help="May be repeated.")
@launching
def speed(structure: str, models: tuple[str, ...], **given: Any) -> ProcessBuilder:
    """Time force calls of models for a structure repeated again and again; the machine should do nothing else."""
    from aiida_crucible.launch.structures import read_structure
    from aiida_crucible.workflows.speed.workchain import SpeedWorkChain

    where = {name: given.pop(name) for name in ("code", "computer", "yes")}
    placed = {label: place(name, dict(where)) for label, name in by_label(models).items()}
    given["options"] = given["options"] or None
    return SpeedWorkChain.get_builder_from_protocol(placed, read_structure(structure), **given)


@launch.command("map", short_help="Map the configurations of several trajectories.")
@click.argument("trajectories", nargs=-1, required=True, metavar="LABEL=PK …")
@launching
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
@launching
def benchmark(
    structures: tuple[str, ...], models: tuple[str, ...], reference_model: str | None, **given: Any
) -> ProcessBuilder:
    """Test models on many crystals: phonons and anharmonicity against those of a reference model."""
    from aiida_crucible.launch.structures import read_structure
    from aiida_crucible.workflows.benchmark.workchain import BenchmarkWorkChain

    crystals = {label: read_structure(source) for label, source in _assignments(structures).items()}
    labels = by_label(models)
    where = {name: given[name] for name in ("code", "computer", "yes")}
    return BenchmarkWorkChain.get_builder_from_protocol(
        {label: place(name, dict(where)) for label, name in labels.items()},
        crystals,
        given["protocol"],
        reference_model=None if reference_model is None else place(reference_model, dict(where)),
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

"""The inputs of tests of a model, and what can be known of them before anything is submitted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiida.engine import ProcessSpec
from aiida.orm import Dict, SinglefileData, StructureData

from aiida_crucible.analysis.model_tests.accuracy_answer import LabelledSet, check_theories
from aiida_crucible.analysis.model_tests.robustness import crystals
from aiida_crucible.analysis.model_tests.settings import validate_model_tests
from aiida_crucible.analysis.model_tests.theories import name_of_theory
from aiida_crucible.calculations import validation
from aiida_crucible.calculations.dynamics.forces import require_both_forces
from aiida_crucible.calculations.ports import check_each, crystal_check, settings_help, settings_input
from aiida_crucible.nodes.file_digest import describe_file
from aiida_crucible.nodes.labels import check_labels
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.references.labels import Group, read_labels, require_known_elements, validate_labels
from aiida_crucible.workflows.dynamics.base import DynamicsBaseWorkChain
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain
from aiida_crucible.workflows.model_tests.calcfunctions import groups_of
from aiida_crucible.workflows.relax.base import RelaxBaseWorkChain
from crucible_engine.wire.rules import shown

LARGEST_FILE = 200_000_000
"""Bytes of a labelled set, which enters the provenance."""

MOST_REMEMBERED = 8

_READ: dict[tuple[str, str], list[Group]] = {}
"""Labelled sets that were read already, by their nodes and settings: inputs are checked several times."""


def define_inputs(spec: ProcessSpec) -> None:
    """Declare what is tested and how."""
    spec.inputs_by_label(
        StructureData,
        validation.check_structures,
        structures="What is turned and run, and whose elements are paired.",
    )
    spec.inputs_by_label(
        StructureData,
        check_crystals,
        required=False,
        crystals="Crystals whose relaxation is tested; by default wurtzite BeO, zincblende BeTe and rocksalt LiBr.",
    )
    spec.inputs_by_label(
        SinglefileData,
        required=False,
        labels="Labelled sets to measure the accuracy on: extxyz, or an ASE trajectory.",
    )
    spec.inputs_by_label(
        Dict,
        required=False,
        label_settings="For each of `labels`, by its key, how it is read: see "
        "`aiida_crucible.references.labels.LABELS` for names, units, ranges and defaults; `theory` is required.",
    )
    settings_input(spec, "parameters", validate_model_tests, settings_help("model_tests.settings"))
    jobs = {
        "rotations": (EvaluateBaseWorkChain, "How to evaluate what is turned, see `crucible.evaluate.base`."),
        "dimers": (EvaluateBaseWorkChain, "How to evaluate pairs of atoms, see `crucible.evaluate.base`."),
        "accuracy": (EvaluateBaseWorkChain, "How to evaluate the labelled sets, see `crucible.evaluate.base`."),
        "robustness": (RelaxBaseWorkChain, "How to relax from disturbed starts, see `crucible.relax.base`."),
        "conservation": (DynamicsBaseWorkChain, "The runs without thermostat, see `crucible.dynamics.base`."),
        "equipartition": (DynamicsBaseWorkChain, "The runs with a thermostat, see `crucible.dynamics.base`."),
    }
    for name, (chain, description) in jobs.items():
        chain.expose_in(spec, name, description)


check_crystal = crystal_check("a relaxation with a moving cell")


def check_crystals(nodes: Mapping[str, StructureData] | None) -> None:
    """Refuse what has no cell to relax.

    :raises ValueError: one line.
    """
    validation.check_structures(nodes)
    check_each(check_crystal, nodes, "crystal ")


def usual_crystals() -> dict[str, StructureData]:
    """Return the three crystals of the published test as new nodes."""
    return {name: from_atoms(atoms) for name, atoms in crystals().items()}


def check_test_inputs(inputs: Mapping[str, Any]) -> None:
    """Refuse labelled sets that cannot be read or compared.

    :raises ValueError: one line.
    """
    if not inputs.get("structures"):
        raise ValueError("there is nothing to test the model on: give structures")
    if "model" in inputs and "parameters" in inputs:
        check_both_forces(validate_model_tests(inputs["parameters"].get_dict()), inputs)
    labels, settings = inputs.get("labels") or {}, inputs.get("label_settings") or {}
    if set(labels) != set(settings):
        odd = min(set(labels) ^ set(settings))
        where = ("labels", "label_settings") if odd in labels else ("label_settings", "labels")
        raise ValueError(f"{where[0]} have {odd!r}, but {where[1]} have not: give both for each set")
    check_labels("a labelled set", labels)
    for name in labels:
        with validation.naming(f"labels {name!r}"):
            complete = validate_labels(settings[name].get_dict())
            groups = remembered_groups(labels[name], complete)
        if "model" in inputs and "parameters" in inputs:
            check_labels_of(name, groups, complete, inputs["model"], inputs["parameters"])


def check_both_forces(settings: Mapping[str, Any], inputs: Mapping[str, Any]) -> None:
    """Refuse a test with both kinds of forces of a model that has one.

    :raises ValueError: one line.
    """
    if settings["both_forces"]:
        with validation.naming("parameter 'both_forces' of model tests"):
            require_direct = {"direct_steps": settings["direct_steps"], "forces": None}
            require_both_forces(require_direct, inputs["model"], inputs.get("code"), inputs.get("verification"))


def check_labels_of(
    name: str, groups: list[Group], settings: Mapping[str, Any], model: ModelData, parameters: Dict
) -> None:
    """Refuse labels of elements that the model does not know, or of another level of theory.

    :raises ValueError: one line.
    """
    known = require_known_elements(name, groups, model.elements)
    symbols = tuple(sorted(set().union(*(group.symbols for group in known))))
    described = LabelledSet(name, settings["theory"], symbols, 0, groups[0].stresses is not None)
    check_theories(described, theory_of(model), validate_model_tests(parameters.get_dict()))


def theory_of(model: ModelData) -> str | None:
    """Return the level of theory of a model; ``None`` where its node does not know it."""
    return name_of_theory(model.functional, model.hubbard_u, model.dispersion)


def remembered_groups(source: SinglefileData, settings: dict[str, Any]) -> list[Group]:
    """Return the frames of a labelled set, which is read once."""
    key = source.uuid, json.dumps(settings, sort_keys=True)
    if key not in _READ:
        while len(_READ) >= MOST_REMEMBERED:
            _READ.pop(next(iter(_READ)))
        _READ[key] = groups_of(source, settings)
    return _READ[key]


def labels_inputs(labels: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the nodes of labelled sets; a file that cannot be used is refused before there is a node.

    :param labels: by name, the ``file`` with what :data:`aiida_crucible.references.labels.LABELS` has.
    :raises ValueError: one line that names the set.
    """
    nodes: dict[str, Any] = {"labels": {}, "label_settings": {}}
    for name, given in labels.items():
        with validation.naming(f"labels {name!r}"):
            if not isinstance(given, Mapping) or "file" not in given:
                raise ValueError(f"{shown(given)} has no file: give a dict with `file` and `theory`")
            settings = validate_labels({key: value for key, value in given.items() if key != "file"})
            file = describe_file(given["file"])
            if file.size > LARGEST_FILE:
                raise ValueError(f"{Path(file.path).name} has more than {LARGEST_FILE} bytes: give a part of it")
            groups = read_labels(file.path, settings)
        source = SinglefileData(file.path)
        _READ[source.uuid, json.dumps(settings, sort_keys=True)] = groups
        nodes["labels"][name], nodes["label_settings"][name] = source, Dict(settings)
    return nodes if labels else {}

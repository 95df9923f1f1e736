"""What the inputs of a benchmark have to be, and what follows from them for its rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiida.orm import AbstractCode, Data, Dict, QueryBuilder, StructureData

from aiida_crucible.analysis.benchmark.settings import (
    ANHARMONICITY,
    DYNAMICS,
    PHONON,
    validate_benchmark_settings,
)
from aiida_crucible.calculations import resources, validation
from aiida_crucible.calculations.verify.verifications import place_of
from aiida_crucible.nodes.labels import check_labels
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.benchmark import batch_calcfunctions as benchmark_batches
from aiida_crucible.workflows.benchmark import material_calcfunctions as benchmark_materials
from aiida_crucible.workflows.benchmark.material_calcfunctions import regroup_row
from aiida_crucible.workflows.benchmark.ports import check_references
from aiida_crucible.workflows.benchmark.stages import NAMES
from crucible_engine.wire.rules import shown, suggestion
from crucible_engine.wire.schema import PROTOCOL

REFERENCE = "reference"
"""Label of the model, and of the protocol, that references are made by."""

JOBS = ("relax.relax", "forces.evaluate", "base.dynamics")
"""Where the ports of the CalcJobs are."""

ANIONS = ("F", "O", "Cl", "N", "Br", "I", "S", "Se", "C", "Te", "P", "As", "Sb", "H")
"""Non-metals by falling electronegativity (Pauling): the first that a material has is its group."""
NO_ANION = "metal"


def check_arguments(models: Any, references: Any, groups: Any) -> None:
    """Refuse what a builder would take for something else, or leave out without a word.

    :param models: by label, a pair of code and model.
    :param references: by material, by name of :data:`NAMES`.
    :param groups: by material, or ``None``.
    :raises ValueError: one line.
    """
    for name, given in (("models", models), ("references", references), ("groups", groups or {})):
        if not isinstance(given, Mapping):
            raise ValueError(f"{name} is {shown(given)}: give a dict by labels")
    for label, pair in models.items():
        if not (isinstance(pair, Sequence) and not isinstance(pair, str) and len(pair) == 2):
            raise ValueError(f"model {label!r} is {shown(pair)}: give a pair, its code and its ModelData")
    for label, parts in references.items():
        if not isinstance(parts, Mapping):
            raise ValueError(
                f"the reference of {label!r} is {shown(parts)}: give a dict with any of {', '.join(NAMES)}"
            )
        for name in parts:
            if name not in NAMES:
                raise ValueError(f"the reference of {label!r} has {name!r}: {suggestion(name, list(NAMES))}")


def check_benchmark(inputs: Mapping[str, Any]) -> None:
    """Check the inputs of a benchmark against each other.

    :raises ValueError: one line for the user.
    """
    check_models(inputs)
    check_references(inputs)
    check_labels("a material", inputs["structures"])
    check_groups(inputs)
    check_measurable(inputs)
    maker = inputs.get("reference_model") or {}
    for name in ("code", "model", "settings"):
        if maker and name not in maker:
            raise ValueError(f"reference_model lacks {name}: give code, model and settings, or none of them")
    if maker:
        try:
            validation.check_trust(maker["model"])
            validation.check_environment(maker["code"], maker["model"])
        except ValueError as error:
            raise ValueError(f"reference_model: {error}") from None
        check_temperatures(
            parse_protocols(inputs["protocols"].get_dict()),
            validate_benchmark_settings(maker["settings"].get_dict()),
        )
    makers = [maker] if maker else []
    for job in JOBS:
        namespace: Mapping[str, Any] = inputs
        for level in (*job.split("."), "metadata", "options"):
            namespace = namespace.get(level) or {}
        for code in [*inputs["codes"].values(), *(one["code"] for one in makers)]:
            resources.check_placement(code, namespace)
        for model in [*inputs["models"].values(), *(one["model"] for one in makers)]:
            resources.check_precision(model, namespace)


def check_models(inputs: Mapping[str, Any]) -> None:
    """Refuse models without a code and codes without a model, and environments of other families.

    :param inputs: with ``codes`` and ``models``.
    :raises ValueError: one line.
    """
    codes, models = inputs.get("codes") or {}, inputs.get("models") or {}
    if not models:
        raise ValueError("there are no models: give models and codes by their labels")
    for first, second, names in (
        ("models", "codes", set(models) - set(codes)),
        ("codes", "models", set(codes) - set(models)),
    ):
        if names:
            raise ValueError(f"{first} has {min(names)!r}, but {second} has not: give both under the same label")
    check_labels("a model", models)
    refuse_reserved("a model", models)
    for label, model in models.items():
        try:
            validation.check_trust(model)
            validation.check_environment(codes[label], model)
        except ValueError as error:
            raise ValueError(f"model {label!r}: {error}") from None


def refuse_reserved(what: str, labels: Any) -> None:
    """Refuse the label that the model that makes references has.

    :raises ValueError: one line.
    """
    if REFERENCE in labels:
        raise ValueError(f"{what} is labelled {REFERENCE!r}, which the model that makes references is: choose another")


def check_groups(inputs: Mapping[str, Any]) -> None:
    """Refuse groups that are no names, or of no material.

    :raises ValueError: one line.
    """
    for label, group in (inputs["groups"].get_dict() if "groups" in inputs else {}).items():
        if label not in inputs["structures"]:
            raise ValueError(f"groups has {label!r}, which is none of the materials: name it as in structures")
        if not (isinstance(group, str) and group):
            raise ValueError(f"the group of {label!r} is {shown(group)}: give a name")


def check_measurable(inputs: Mapping[str, Any]) -> None:
    """Refuse a protocol by which nothing could be measured of any material.

    :raises ValueError: one line.
    """
    if inputs.get("reference_model") or (inputs.get("references") or {}).get("force_constants"):
        return
    for label, settings in parse_protocols(inputs["protocols"].get_dict()).items():
        if settings[PHONON] is None:
            raise ValueError(
                f"protocol {label!r} leaves phonons out, and references has no force_constants: nothing could be "
                "measured; leave the section 'phonon' in, or give them"
            )


def check_temperatures(protocols: Mapping[str, Any], made_by: Mapping[str, Any]) -> None:
    """Refuse own runs at other temperatures than those of the reference that they are judged by.

    :param protocols: the settings of each, complete.
    :param made_by: the settings that the reference is made by, complete.
    :raises ValueError: one line.
    """
    if made_by[DYNAMICS] is None:
        return
    (temperature,) = made_by[ANHARMONICITY]["temperatures"]
    for label, settings in protocols.items():
        others = [value for value in settings[ANHARMONICITY]["temperatures"] if value != temperature]
        if settings[DYNAMICS] is not None and others:
            raise ValueError(
                f"protocol {label!r} runs at {others[0]:g} K, but the reference model at {temperature:g} K: set "
                "anharmonicity.temperatures of both (settings, reference_settings), or the reference's dynamics to None"
            )


def parse_protocols(given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings of each protocol, complete.

    :raises ValueError: one line that names the protocol.
    """
    if not given:
        raise ValueError("there are no protocols: give settings by their labels")
    check_labels("a protocol", given)
    refuse_reserved("a protocol", given)
    found = {}
    for label, settings in given.items():
        if not isinstance(settings, Mapping):
            raise ValueError(f"protocol {label!r} is {shown(settings)}: give a dict of its sections")
        try:
            found[label] = validate_benchmark_settings(settings)
        except ValueError as error:
            raise ValueError(f"protocol {label!r}: {error}") from None
    return found


def check_reference_settings(settings: Dict | None) -> None:
    """Refuse settings by which no reference can be made: it has force constants and one run.

    :raises ValueError: one line.
    """
    if settings is None:
        return
    values = validate_benchmark_settings(settings.get_dict())
    if values[PHONON] is None:
        raise ValueError("a reference needs force constants: leave the section 'phonon' in")
    anharmonicity = values[ANHARMONICITY]
    if values[DYNAMICS] is not None and len(anharmonicity["temperatures"]) * anharmonicity["n_runs"] > 1:
        raise ValueError(
            f"a reference is one trajectory, but its settings ask for {anharmonicity['n_runs']} runs at "
            f"{len(anharmonicity['temperatures'])} temperatures: set both of its section anharmonicity (in "
            "reference_settings) to one"
        )


def group_of(structure: StructureData) -> str:
    """Return the group that a material belongs to where nobody says: its most electronegative non-metal."""
    symbols = structure.get_symbols_set()
    return next((symbol for symbol in ANIONS if symbol in symbols), NO_ANION)


def row_digest(
    settings: Mapping[str, Any], code: AbstractCode, model: ModelData
) -> Callable[[Mapping[str, Any], Mapping[str, Data]], str]:
    """Return what gives the digest of all that a row follows from, by which a finished one is found again.

    Of a row it takes its labels and whether its reference is all there; and the material and what there is of its
    reference.

    :param settings: complete.
    :param code: the environment.
    :param model: which potential.
    """
    shared = {
        "settings": settings,
        "environment": [*place_of(code), *(validation.promised_package(code, model.family) or ())],
        "model": model.base.caching.compute_hash(),
        "protocol": PROTOCOL,
        "numerics": [benchmark_batches.NUMERICS, benchmark_materials.NUMERICS],
    }

    def digest(names: Mapping[str, Any], nodes: Mapping[str, Data]) -> str:
        hashes = {
            name: node.base.caching.get_hash() or node.base.caching.compute_hash() for name, node in nodes.items()
        }
        content = {**shared, "names": dict(names), "nodes": hashes}
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()

    return digest


def find_rows(digests: Mapping[str, str]) -> dict[str, Dict]:
    """Return the rows that were finished before, by the keys of their digests; jobs that failed are to be tried again.

    The newest of each as it was measured, not as it was regrouped: its creator's inputs are what it follows from.

    :param digests: by any key.
    """
    query = QueryBuilder().append(
        Dict,
        filters={"attributes": {"has_key": "unfinished"}, "attributes.digest": {"in": sorted(set(digests.values()))}},
        project="*",
    )
    query.order_by({Dict: {"ctime": "asc"}})
    found = {
        row["digest"]: row
        for row in query.all(flat=True)
        if not row["unfinished"] and row.creator is not None and row.creator.process_label != regroup_row.__name__
    }
    return {key: found[digest] for key, digest in digests.items() if digest in found}

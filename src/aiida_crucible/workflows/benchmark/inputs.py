"""What the inputs of a benchmark and of its batches have to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from aiida.orm import Dict, TrajectoryData
from ase.formula import Formula

from aiida_crucible.analysis.benchmark.settings import (
    ANHARMONICITY,
    DYNAMICS,
    PHONON,
    validate_benchmark_settings,
)
from aiida_crucible.calculations import resources, validation
from aiida_crucible.nodes.force_data import require_forces
from aiida_crucible.nodes.labels import check_labels
from aiida_crucible.nodes.structures import to_atoms
from aiida_crucible.workflows.anharmonicity.inputs import require_kept_crystal
from aiida_crucible.workflows.benchmark.stages import JOBS, NAMES
from crucible_engine.wire.rules import shown, suggestion

REFERENCE = "reference"
"""Label of the model, and of the protocol, that references are made by."""

REFERENCES = ("structures", "force_constants", "trajectories")
"""Inputs in the namespace of the same name."""


def check_arguments(models: Any, references: Any, groups: Any) -> None:
    """Refuse what a builder would take for something else, or leave out unnoticed.

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


def check_reference_settings(settings: Dict) -> None:
    """Refuse settings by which no reference can be made: it has force constants and one run.

    :raises ValueError: one line.
    """
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


def check_frames(trajectory: TrajectoryData) -> None:
    """Refuse frames without forces, or of a lost crystal; of what else can be wrong the material's row tells.

    :raises ValueError: one line.
    """
    require_forces(trajectory)
    require_kept_crystal(trajectory)


def check_references(inputs: Mapping[str, Any]) -> None:
    """Refuse references of unknown materials, and force constants without the crystal that they belong to.

    :param inputs: with ``structures`` and ``references``.
    :raises ValueError: one line.
    """
    if not inputs.get("structures"):
        raise ValueError("there are no materials: give structures by their labels")
    references = inputs.get("references") or {}
    for name in REFERENCES:
        unknown = sorted(set(references.get(name) or {}) - set(inputs["structures"]))
        if unknown:
            raise ValueError(
                f"references.{name} has {unknown[0]!r}, which is none of the materials: "
                f"name it as in structures ({', '.join(sorted(inputs['structures'])[:5])} …)"
            )
    for label, trajectory in (references.get("trajectories") or {}).items():
        structure = inputs["structures"][label]
        frame, cell = Counter(trajectory.symbols), Counter(to_atoms(structure).symbols)
        if {symbol: count * cell.total() for symbol, count in frame.items()} != {
            symbol: count * frame.total() for symbol, count in cell.items()
        }:
            raise ValueError(
                f"references.trajectories.{label} is of {Formula.from_dict(frame).format('hill')}, the material of "
                f"{structure.get_formula()}: give frames of the same crystal"
            )
    lonely = sorted(set(references.get("force_constants") or {}) - set(references.get("structures") or {}))
    if lonely:
        raise ValueError(
            f"references.force_constants has {lonely[0]!r}, but references.structures lacks the unit cell that they "
            "belong to: give it"
        )

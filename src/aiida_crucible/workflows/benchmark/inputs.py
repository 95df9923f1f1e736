"""What the inputs of a benchmark and of its batches have to be; checks raise ``ValueError`` with one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
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


def check_reference_names(references: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse what a builder would leave out unnoticed.

    :param references: by material, by name of :data:`NAMES`.
    """
    for label, parts in references.items():
        for name in parts:
            if name not in NAMES:
                raise ValueError(f"the reference of {label!r} has {name!r}: {suggestion(name, list(NAMES))}")


def check_benchmark(inputs: Mapping[str, Any]) -> None:
    """Check the inputs of a benchmark against each other."""
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
        with validation.naming("reference_model"):
            validation.check_trust(maker["model"])
            validation.check_environment(maker["code"], maker["model"])
        check_temperatures(
            parse_protocols(inputs["protocols"].get_dict()),
            validate_benchmark_settings(maker["settings"].get_dict()),
        )
    makers = [maker] if maker else []
    for job in JOBS:
        options = resources.options_of(validation.nested(inputs, job))
        for code in [*inputs["codes"].values(), *(one["code"] for one in makers)]:
            resources.check_placement(code, options)
        for model in [*inputs["models"].values(), *(one["model"] for one in makers)]:
            resources.check_precision(model, options)


def check_models(inputs: Mapping[str, Any]) -> None:
    """Refuse models without a code and codes without a model, and environments of other families.

    :param inputs: with ``codes`` and ``models``.
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
        with validation.naming(f"model {label!r}"):
            validation.check_trust(model)
            validation.check_environment(codes[label], model)


def refuse_reserved(what: str, labels: Any) -> None:
    """Refuse the label that the model that makes references has."""
    if REFERENCE in labels:
        raise ValueError(f"{what} is labelled {REFERENCE!r}, which the model that makes references is: choose another")


def check_groups(inputs: Mapping[str, Any]) -> None:
    """Refuse groups that are no names, or of no material."""
    for label, group in (inputs["groups"].get_dict() if "groups" in inputs else {}).items():
        if label not in inputs["structures"]:
            raise ValueError(f"groups has {label!r}, which is none of the materials: name it as in structures")
        if not (isinstance(group, str) and group):
            raise ValueError(f"the group of {label!r} is {shown(group)}: give a name")


def check_measurable(inputs: Mapping[str, Any]) -> None:
    """Refuse a protocol by which nothing could be measured of any material."""
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
        with validation.naming(f"protocol {label!r}"):
            found[label] = validate_benchmark_settings(settings)
    return found


def check_reference_settings(settings: Dict) -> None:
    """Refuse settings by which no reference can be made: it has force constants and one run."""
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
    """Refuse frames without forces, or of a lost crystal; of what else can be wrong the material's row tells."""
    require_forces(trajectory)
    require_kept_crystal(trajectory)


def check_references(inputs: Mapping[str, Any]) -> None:
    """Refuse references of unknown materials, and force constants without the crystal that they belong to.

    :param inputs: with ``structures`` and ``references``.
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

"""How datasets are read: those of labelled sets, and how their frames are put on sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_crucible.analysis.datasets.settings import SPLIT, check_split
from aiida_crucible.references.labels import LABELS, validate_labels
from crucible_engine.wire.rules import Parameter, complete

_RENAMED = {"subset_key": "source_key"}

DATASET: dict[str, Parameter] = {
    **{name: rule for name, rule in LABELS.items() if name not in _RENAMED},
    "source_key": Parameter(
        str, "source", "name in an extxyz file of the word that tells where a frame is from, as which run"
    ),
    "temperature": Parameter(
        float,
        None,
        "of all frames, K; otherwise what frames call temperature, or a number before K in their source",
        0.0,
    ),
    **SPLIT,
}
"""Settings of an import: how files are read, see :data:`aiida_crucible.references.labels.LABELS`, and the split."""


def validate_dataset(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of an import complete with defaults.

    :raises ValueError: one line that names the setting, what is wrong and what is allowed.
    """
    settings = complete("an import of a dataset", DATASET, given)
    labels_settings(settings)
    check_split(settings)
    return settings


def labels_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of complete settings that says how a file is read.

    :raises ValueError: one line.
    """
    reading = {name: settings[name] for name in LABELS if name not in _RENAMED}
    return validate_labels({**reading, **{theirs: settings[ours] for theirs, ours in _RENAMED.items()}})

"""What the inputs of a reliability assessment have to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.orm import Dict, StructureData

from aiida_crucible.analysis.reliability import MAIN, validate_thresholds
from aiida_crucible.workflows.phonon import check_crystal
from crucible_engine.parameter_rules import shown


def check_competing(structures: Mapping[str, StructureData]) -> None:
    """Refuse phases that are no crystals, or of the name that the structure itself has.

    :raises ValueError: one line.
    """
    if MAIN in structures:
        raise ValueError(f"a competing phase cannot be named {MAIN!r}: that is the crystal in question")
    for name, structure in structures.items():
        try:
            check_crystal(structure)
        except ValueError as error:
            raise ValueError(f"competing phase {name!r}: {error}") from None


def check_thresholds(thresholds: Dict) -> None:
    """Refuse thresholds that are misspelt or out of range.

    :raises ValueError: one line.
    """
    validate_thresholds(thresholds.get_dict())


def serialize_thresholds(value: Any) -> Dict:
    """Return plain thresholds as a node, complete with defaults.

    :raises ValueError: one line.
    """
    if not isinstance(value, dict):
        raise ValueError(f"thresholds are {shown(value)}: give a dict or a Dict node")
    return Dict(validate_thresholds(value))

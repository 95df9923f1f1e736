"""Plain values of a reference from a YAML or JSON file: what the verdict on a model compares with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiida_crucible.analysis.verdict.reliability import check_reference
from aiida_crucible.references.plain_yaml import read_yaml

EXAMPLE = "'lattice: {a: 3.9, c: 4.15}'"


def read_values(path: Path, citation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values in a file, ready to be the ``reference`` of ``crucible.reliability``.

    :param path: any of ``lattice``, ``energy_differences``, ``transition_temperature``, ``source``; see
        :func:`aiida_crucible.analysis.verdict.reliability.check_reference` for names and units.
    :param citation: ``theory``, ``doi``, ``comment``: the source where the file names none.
    :raises ValueError: one line that names the file and what is wrong in it.
    """
    try:
        content = read_yaml(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path.name} is no YAML: {error}; write e.g. {EXAMPLE}") from error
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path.name} holds no values: write e.g. {EXAMPLE}")
    try:
        check_reference(content, set(content.get("energy_differences") or {}))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error
    if "source" not in content and citation:
        said = [f"doi {value}" if name == "doi" else str(value) for name, value in citation.items()]
        content["source"] = ", ".join(said)
    return content

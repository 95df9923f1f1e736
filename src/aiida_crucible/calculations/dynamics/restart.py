"""Which folder a dynamics may be continued from, as far as the nodes tell; the computer is asked at the start.

Checks raise ``ValueError`` with one line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida.orm import RemoteData, StructureData

from aiida_crucible.calculations.dynamics.structures import structures_of
from aiida_crucible.calculations.run_folder import name_of
from aiida_crucible.nodes.structures import to_atoms
from crucible_engine.tasks.dynamics.parameters import DETAILS_OF_OUTPUT
from crucible_engine.tasks.parameters import validate_parameters


def check_continuation(inputs: Mapping[str, Any]) -> None:
    """Refuse to continue what is on another computer, or of another structure, model or parameters."""
    restart_from: RemoteData | None = inputs.get("restart_from")
    if restart_from is None:
        return
    name, code = name_of(restart_from), inputs.get("code")
    if code is not None and code.computer is not None and code.computer.uuid != restart_from.computer.uuid:
        raise ValueError(
            f"{name} is on computer {restart_from.computer.label!r}, but the code runs on {code.computer.label!r}: use "
            "a code where the checkpoint is"
        )
    job = restart_from.creator
    if job is None:
        return
    begun = f"{name} was begun by {job.process_label}<{job.pk}>"
    ours, theirs = structures_of(inputs), structures_of(job.inputs)
    if ours and not (list(ours) == list(theirs) and all(_same_structure(ours[key], theirs[key]) for key in ours)):
        raise ValueError(f"{begun} with another structure: give the same, or start anew")
    reference = getattr(job.inputs, "reference", None)
    if ours and not _same_structure(inputs.get("reference"), reference):
        raise ValueError(f"{begun} with another reference: give the same, or start anew")
    if inputs.get("model") is not None and inputs["model"].to_reference() != job.inputs.model.to_reference():
        raise ValueError(
            f"{begun} with model {job.inputs.model.title}, not {inputs['model'].title}: give the same, or start anew"
        )
    if inputs.get("parameters") is not None:
        wanted, found = (
            _physical_parameters(node.get_dict()) for node in (inputs["parameters"], job.inputs.parameters)
        )
        if different := [key for key in wanted if wanted[key] != found[key]]:
            key = different[0]
            raise ValueError(
                f"{begun} with {key} {found[key]!r}, not {wanted[key]!r}"
                f"{' (and other parameters)' if different[1:] else ''}: give the same, or start anew"
            )


def _same_structure(one: StructureData | None, other: StructureData | None) -> bool:
    if one is None or other is None:
        return one is other
    if one.uuid == other.uuid:
        return True
    ours, theirs = (
        (atoms.numbers, atoms.get_masses(), atoms.positions, atoms.cell.array, atoms.pbc)
        for atoms in (to_atoms(one), to_atoms(other))
    )
    return all(np.array_equal(x, y) for x, y in zip(ours, theirs, strict=True))


def _physical_parameters(given: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that change a number of the run."""
    values = validate_parameters("dynamics", given)
    return {name: value for name, value in values.items() if name not in DETAILS_OF_OUTPUT}

"""What the inputs of a reliability assessment have to be; each check raises ``ValueError`` with one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.orm import Dict, StructureData

from aiida_crucible.analysis.crystal.same_crystal import is_same_crystal
from aiida_crucible.analysis.verdict.reliability import MAIN
from aiida_crucible.calculations.validation import naming
from aiida_crucible.nodes.labels import check_labels
from aiida_crucible.nodes.structures import to_atoms
from aiida_crucible.workflows.phonon.workchain import check_crystal


def require_temperatures(sweep: Mapping[str, Any]) -> None:
    """Refuse to change a sweep that nobody has asked for by its temperatures.

    :param sweep: what is to be set otherwise, nested as the ports are.
    """
    parameters = sweep.get("parameters")
    if not isinstance(parameters, Mapping | Dict) or "temperatures" not in parameters:
        raise ValueError(
            "override 'sweep' has no temperatures, and those of a protocol are for another material: give "
            "`temperatures=[300, 600, …]` (K)"
        )


def check_competing(structures: Mapping[str, StructureData]) -> None:
    """Refuse phases that are no crystals, or of a name that cannot be one or is the structure's own."""
    check_labels("a competing phase", structures)
    if MAIN in structures:
        raise ValueError(f"a competing phase cannot be named {MAIN!r}: that is the crystal in question")
    for name, structure in structures.items():
        with naming(f"competing phase {name!r}"):
            check_crystal(structure)


def require_other_crystals(structure: StructureData, competing: Mapping[str, StructureData]) -> None:
    """Refuse phases that are the structure itself, or each other: their energies would be a tie by themselves."""
    known = {MAIN: to_atoms(structure)}
    for name, phase in competing.items():
        atoms = to_atoms(phase)
        for other, crystal in known.items():
            if is_same_crystal(atoms, crystal):
                same = "the structure itself" if other == MAIN else f"competing phase {other!r}"
                raise ValueError(f"competing phase {name!r} is the same crystal as {same}: leave it out")
        known[name] = atoms

"""What moves in a dynamics: one structure in all replicas, or one in each; and what it must have for an ensemble.

Checks raise ``ValueError`` with one line.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from aiida.engine import PortNamespace
from aiida.orm import Dict, StructureData
from ase import Atoms

from aiida_crucible.calculations.validation import naming
from aiida_crucible.nodes.structures import require_crystal, to_atoms
from crucible_engine.tasks.dynamics.orientation import Orientation
from crucible_engine.tasks.dynamics.parameters import check_own_structures, time_step_warning
from crucible_engine.tasks.parameters import validate_parameters

LABEL = "structure"
"""Of a structure that comes alone."""


def structures_of(inputs: Any) -> dict[str, StructureData]:
    """Return the structures that were given by label, in the order of the replicas; none where there are none.

    :param inputs: of a process, or of the node of one.
    """
    if LABEL in inputs and inputs[LABEL] is not None:
        return {LABEL: inputs[LABEL]}
    return dict(sorted((inputs["structures"] or {}).items())) if "structures" in inputs else {}


def of_replicas(structures: Mapping[str, StructureData], n_replicas: int) -> list[StructureData]:
    """Return the structure of each replica.

    :param structures: what :func:`structures_of` gives, not empty.
    """
    nodes = list(structures.values())
    return nodes if len(nodes) > 1 else nodes * n_replicas


def symbols_of(structures: Mapping[str, StructureData]) -> dict[str, set[str]]:
    """Return the chemical symbols of each structure, by the name that a message should call it."""
    return {_name_of(label): structure.get_symbols_set() for label, structure in structures.items()}


def check_given(inputs: Mapping[str, Any], ports: PortNamespace) -> None:
    """Refuse nothing to move, two kinds of it, and structures that are not one for each replica."""
    own = inputs.get("structures") or {}
    if own and inputs.get(LABEL) is not None:
        raise ValueError("give a structure, or structures (one for each temperature), not both")
    if LABEL in ports and "structures" in ports and not structures_of(inputs):
        raise ValueError("there is nothing that moves: give a structure, or structures (one for each temperature)")
    if own and inputs.get("parameters") is not None:
        check_own_structures(len(own), validate_parameters("dynamics", inputs["parameters"].get_dict()))


def check_reference(inputs: Mapping[str, Any]) -> None:
    """Refuse a reference of other atoms than those that move."""
    reference: StructureData | None = inputs.get("reference")
    if reference is None:
        return
    for label, structure in structures_of(inputs).items():
        sites, atoms = to_atoms(reference), to_atoms(structure)
        if sites.numbers.tolist() != atoms.numbers.tolist() or sites.pbc.tolist() != atoms.pbc.tolist():
            raise ValueError(
                f"the reference ({reference.get_formula()}) has not the atoms of {_name_of(label)} "
                f"({structure.get_formula()}) in their order, or another periodicity: give the crystal that moves"
            )


def check_barostat(structures: Mapping[str, StructureData], parameters: Dict) -> None:
    """Refuse a barostat for what has no volume, or that cannot change what it should."""
    values = validate_parameters("dynamics", parameters.get_dict())
    for label, structure in structures.items() if values["ensemble"].startswith("npt") else ():
        with nullcontext() if label == LABEL else naming(_name_of(label)):
            _check_barostat(structure, values)


def warning_of(structures: Mapping[str, StructureData], parameters: Dict) -> str | None:
    """Return one line where the time step is too long for the lightest atom."""
    values = validate_parameters("dynamics", parameters.get_dict())
    lightest = min(float(to_atoms(structure).get_masses().min()) for structure in structures.values())
    return time_step_warning(values["time_step"], lightest)


def _check_barostat(structure: StructureData, values: Mapping[str, Any]) -> None:
    ensemble = values["ensemble"]
    try:
        require_crystal(structure, ensemble)
    except ValueError as error:
        raise ValueError(f"{error}; or choose an nvt ensemble") from None
    check_melchionna(to_atoms(structure), values)


def check_melchionna(atoms: Atoms, values: Mapping[str, Any]) -> None:
    """Refuse one atom, and a mask that cannot be turned with the cell, where the ensemble is npt-melchionna.

    :param values: parameters of the dynamics, complete.
    """
    if values["ensemble"] != "npt-melchionna":
        return
    if len(atoms) == 1:
        raise ValueError(
            "npt-melchionna lets the centre of mass rest, and one atom is its own: take a supercell or another ensemble"
        )
    if values["mask"] is not None:
        Orientation.of(atoms, triangular=True).turn_mask(values["mask"])


def _name_of(label: str) -> str:
    return "the structure" if label == LABEL else f"structure {label!r}"

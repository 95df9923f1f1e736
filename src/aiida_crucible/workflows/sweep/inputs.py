"""What the inputs of a temperature sweep have to be, and what follows from them for its jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.orm import ArrayData, Dict, StructureData

from aiida_crucible.analysis.crystal.cells import require_no_vacuum
from aiida_crucible.analysis.crystal.mapping import find_sites
from aiida_crucible.analysis.dynamics.order_parameters import displacement_pattern
from aiida_crucible.analysis.dynamics.polarization import neutral_charges
from aiida_crucible.analysis.dynamics.sweep_settings import (
    SweepJob,
    strained_unit_cell,
    sweep_supercell,
    validate_sweep,
)
from aiida_crucible.analysis.phonons.born_charges import require_neutral
from aiida_crucible.calculations import validation
from aiida_crucible.calculations.dynamics.structures import check_melchionna
from aiida_crucible.nodes.structures import require_crystal, to_atoms
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.rules import shown, suggestion

PURPOSE = "a temperature sweep"
KEY = "structure"
OWN = ("temperatures", "start", "first_replica", "final_temperature")
"""Parameters of the dynamics that a sweep sets itself."""


def check_sweep_crystal(structure: StructureData | None) -> None:
    """Refuse what is no crystal of whole atoms.

    :raises ValueError: one line.
    """
    if structure is not None:
        require_crystal(structure, PURPOSE)
        validation.check_alone(structure)
        require_no_vacuum(to_atoms(structure), PURPOSE)


def check_charges_array(node: ArrayData | None) -> None:
    """Refuse arrays without Born charges.

    :raises ValueError: one line.
    """
    if node is not None and "charges" not in node.get_arraynames():
        names = ", ".join(node.get_arraynames()) or "none"
        raise ValueError(f"born_charges has the arrays {names}: give `charges` [n_atoms, 3, 3]")


def check_dynamics_parameters(parameters: Dict) -> None:
    """Refuse parameters of the dynamics that the sweep sets itself.

    :raises ValueError: one line.
    """
    values, defaults = validate_parameters("dynamics", parameters.get_dict()), validate_parameters("dynamics", {})
    for name in OWN:
        if values[name] != defaults[name]:
            where = "parameters.temperatures" if name == "temperatures" else "parameters.mode"
            raise ValueError(
                f"base.dynamics.parameters sets {name} to {shown(values[name])}, which a sweep sets itself: use {where}"
            )


def check_crystal_inputs(inputs: Mapping[str, Any]) -> None:
    """Check the supercell, the reference structure and the Born charges against the structure.

    :param inputs: with ``structure``, ``parameters`` and those of the dynamics.
    :raises ValueError: one line.
    """
    settings = validate_sweep(inputs["parameters"].get_dict())
    atoms = to_atoms(inputs["structure"])
    supercell = sweep_supercell(settings, atoms)
    find_sites(supercell, strained_unit_cell(settings, atoms))
    check_melchionna(supercell, validate_parameters("dynamics", inputs["base"]["dynamics"]["parameters"].get_dict()))
    if "reference_structure" in inputs:
        try:
            displacement_pattern(to_atoms(inputs["reference_structure"]), atoms)
        except ValueError as error:
            raise ValueError(f"reference_structure does not fit to the structure: {error}") from None
    if "born_charges" in inputs:
        if "reference_structure" not in inputs:
            raise ValueError("born_charges need a reference_structure, from which displacements are counted: give it")
        charges = inputs["born_charges"].get_array("charges")
        neutral_charges(charges)
        require_neutral(charges)
        if len(charges) != len(atoms):
            raise ValueError(f"born_charges are of {len(charges)} atoms, but the structure has {len(atoms)}")
    centre = settings["local_centre"]
    if centre is not None and centre not in atoms.symbols:
        raise ValueError(f"local_centre is {centre!r}: {suggestion(centre, sorted(set(atoms.symbols)))}")


def parameters_of_job(parameters: Mapping[str, Any], job: SweepJob, is_chain: bool) -> dict[str, Any]:
    """Return the parameters of one job's dynamics, complete: how a sweep is packed into jobs changes no number.

    :param parameters: what all jobs share.
    :param is_chain: whether each temperature begins where the one before ended.
    """
    own = {
        "temperatures": list(job.temperatures),
        "first_replica": job.first,
        "start": "sequential" if is_chain else "independent",
    }
    return validate_parameters("dynamics", {**parameters, **own})

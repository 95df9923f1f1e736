"""What can be known to be wrong before a job is submitted; each check raises ``ValueError`` with one line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from aiida.orm import AbstractCode, ContainerizedCode, Dict, InstalledCode, StructureData, TrajectoryData

from aiida_crucible.calculations.staging import require_reachable
from aiida_crucible.data.model import ModelData
from aiida_crucible.structures import to_atoms, trajectory_to_atoms
from crucible_engine.parameters import validate_parameters
from crucible_engine.preflight import MINIMUM_VOLUME_PER_ATOM, check_structure
from crucible_engine.schema import EngineError

ENVIRONMENT_KEY = "crucible_environment"
"""Extra of a Code that ``aiida-crucible env create`` made: family, package, version, lock, torch."""

Check = Callable[[Any], None]
Validator = Callable[[Any, Any], str | None]


def validator(check: Check) -> Validator:
    """Return a check in the form that AiiDA's ports ask for."""

    def validate(value: Any, _: Any) -> str | None:
        try:
            check(value)
        except (ValueError, EngineError) as error:
            return str(error)
        return None

    return validate


def check_code(code: AbstractCode | None) -> None:
    """Refuse a code that has no place on the computer."""
    if code is not None and not isinstance(code, InstalledCode | ContainerizedCode):
        raise ValueError(
            f"code {code.label!r} is a {type(code).__name__}: give an InstalledCode or ContainerizedCode whose "
            "executable is the Python of the model's environment"
        )


def check_device(device: str) -> None:
    """Refuse what is no device's name."""
    if not re.fullmatch(r"auto|cpu|mps|(cuda|xpu)(:\d+)?", device):
        raise ValueError(f"device {device!r} is unknown: give auto, cpu, cuda, cuda:N, xpu, xpu:N or mps")


def parameters_check(task: str) -> Check:
    """Return the check of a task's parameters."""

    def check(parameters: Dict | None) -> None:
        if parameters is not None:
            validate_parameters(task, parameters.get_dict())

    return check


def parameters_serializer(task: str) -> Callable[[Any], Dict]:
    """Return what turns a plain ``dict`` into a node, complete with defaults and normalised numbers.

    :raises ValueError: one line that names the parameter (when called by AiiDA).
    """

    def serialize(value: Any) -> Dict:
        if not isinstance(value, dict):
            raise ValueError(f"parameters are {value!r}: give a dict or a Dict node")
        return Dict(validate_parameters(task, value))

    return serialize


def check_structures(structures: Mapping[str, StructureData] | None) -> None:
    """Refuse structures that no potential can mean."""
    for key, structure in (structures or {}).items():
        if not isinstance(structure, StructureData):
            raise ValueError(f"structure {key!r} is a {type(structure).__name__}: give a StructureData")
        try:
            atoms = to_atoms(structure)
        except ValueError as error:
            raise ValueError(f"structure {key!r}: {error}") from None
        check_structure(key, atoms)


def check_trajectory(trajectory: TrajectoryData | None) -> None:
    """Refuse a trajectory with a first frame that no potential can mean, or with a vanishing cell in any frame."""
    if trajectory is None:
        return
    first = next(trajectory_to_atoms(trajectory), None)
    if first is None:
        raise ValueError("the trajectory has no frames")
    check_structure(frame_label(0), first)
    cells = trajectory.get_cells()
    if cells is not None and all(trajectory.pbc):
        volumes = np.abs(np.linalg.det(cells)) / len(trajectory.symbols)
        if (volumes < MINIMUM_VOLUME_PER_ATOM).any():
            frame = int(np.argmin(volumes))
            raise ValueError(f"{frame_label(frame)} has a cell of {volumes[frame]:.3g} Å³ an atom: check its vectors")


def frame_label(index: int) -> str:
    """Return what messages call a frame of a trajectory."""
    return f"frame {index}"


def symbols_of(structures: Mapping[str, StructureData] | None) -> dict[str, set[str]]:
    """Return the chemical symbols of each structure of a namespace, by the name that a message should call it."""
    return {f"structure {key!r}": structure.get_symbols_set() for key, structure in (structures or {}).items()}


def check_elements(model: ModelData, symbols_by_input: Mapping[str, set[str]]) -> None:
    """Refuse elements that the model was not trained on.

    :param symbols_by_input: chemical symbols of each structure, by the name that a message should call it.
    """
    if model.elements is None:
        return
    for name, symbols in symbols_by_input.items():
        if unknown := sorted(symbols - set(model.elements)):
            shown = ", ".join(model.elements) if len(model.elements) <= 12 else f"{len(model.elements)} others"
            raise ValueError(
                f"{name} contains {', '.join(unknown)}, which model {model.title} does not know (it knows {shown})"
            )


def check_environment(code: AbstractCode, model: ModelData) -> None:
    """Refuse an environment of another family, or a computer that the model's checkpoint cannot reach."""
    environment = code.base.extras.get(ENVIRONMENT_KEY, None)
    if environment is not None and environment["family"] != model.family:
        raise ValueError(
            f"code {code.full_label!r} is an environment of family {environment['family']!r}, but model {model.title} "
            f"needs {model.family!r}: create one with `aiida-crucible env create {model.family}`"
        )
    if code.computer is not None:
        require_reachable(model, code.computer)


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse several processes: the engine is one, which uses threads or a GPU."""
    if options.get("withmpi"):
        raise ValueError("metadata.options.withmpi is True: the engine runs as one process, never under MPI")
    resources = options.get("resources", {})
    processes = resources.get("tot_num_mpiprocs") or (
        resources.get("num_machines", 1) * resources.get("num_mpiprocs_per_machine", 1)
    )
    if processes != 1:
        raise ValueError(
            f"metadata.options.resources asks for {processes} processes: the engine is one; give it cores with "
            "num_cores_per_mpiproc"
        )

"""What can be known to be wrong before a job is submitted; each check raises ``ValueError`` with one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any

import numpy as np
from aiida.orm import (
    AbstractCode,
    Bool,
    ContainerizedCode,
    Dict,
    Float,
    InstalledCode,
    Int,
    List,
    Node,
    Str,
    StructureData,
    TrajectoryData,
)
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.calculations.staging import require_reachable
from aiida_crucible.compat.aiida_orm import is_deleted
from aiida_crucible.nodes.labels import check_labels
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import require_whole_source, to_atoms, trajectory_to_atoms
from aiida_crucible.nodes.weights import require_weights
from crucible_engine.families.registry import find_family
from crucible_engine.job.preflight import MINIMUM_VOLUME_PER_ATOM, check_structure
from crucible_engine.tasks.registry import toolset_of
from crucible_engine.wire.rules import WANTED, as_line, shown, with_article
from crucible_engine.wire.schema import EngineError
from crucible_engine.wire.value_types import require_shallow

PLAIN_NODES = (Bool, Dict, Float, Int, List, Str)
"""Nodes that AiiDA makes of Python's own values."""


def misfit(value: Any, types: tuple[type, ...]) -> str:
    """Return what a value is that is of no type that fits, what to give, and how that is made of the value.

    :param types: those that fit.
    """
    names = " or ".join(_named(kind) for kind in types if kind is not type(None))
    hint = _conversion(value, types)
    given = f"{shown(value)}, of type {type(value).__name__}"
    return f"{given}: give {names} ({hint})" if hint else f"{given}: give {names}"


def _named(kind: type) -> str:
    return WANTED.get(kind) or with_article("Code" if kind is AbstractCode else kind.__name__)


def _conversion(value: Any, types: tuple[type, ...]) -> str | None:
    """Return how a value becomes a node of one of the types, where that is known."""
    if isinstance(value, Atoms) and StructureData in types:
        return "`aiida_crucible.nodes.from_atoms` makes one of ASE's Atoms"
    if isinstance(value, list | tuple | Atoms) and TrajectoryData in types:
        return "`aiida_crucible.nodes.atoms_to_trajectory` makes one of a list of ASE's Atoms"
    is_node = any(issubclass(kind, Node) and kind not in PLAIN_NODES for kind in types)
    if isinstance(value, int) and not isinstance(value, bool) and is_node:
        return f"`aiida.orm.load_node({value})` is the node of that PK"
    if isinstance(value, str | PurePath) and StructureData in types:
        return "`from_atoms(ase.io.read(path))` makes one of a file, `aiida.orm.load_node(uuid)` finds a node"
    return "`aiida.orm.load_node(uuid)` finds a node" if isinstance(value, str) and is_node else None


ENVIRONMENT_KEY = "crucible_environment"
"""Extra of a Code that ``aiida-crucible env create`` made: family, package, version, lock, torch."""


Check = Callable[[Any], None]
Validator = Callable[[Any, Any], str | None]


def validator(check: Check) -> Validator:
    """Return a check in the form that AiiDA's ports ask for; what an optional input leaves out is not checked."""

    def validate(value: Any, _: Any) -> str | None:
        try:
            require_living("what is given", value)
            if value is not None:
                check(value)
        except (ValueError, EngineError) as error:
            return as_line(str(error))
        return None

    return validate


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Begin the line of a refusal with what it is about."""
    try:
        yield
    except (ValueError, EngineError) as error:
        raise ValueError(f"{what}: {error}") from None


def require_living(where: str, value: Any) -> None:
    """Refuse a node that was deleted from the profile since it was loaded, also one in a dict or list.

    :param where: whose value it is, as the message should call it.
    :raises ValueError: one line, also where dicts and lists are nested too deeply to look at.
    """
    with naming(where):
        require_shallow(value)
    _require_living(where, value)


def _require_living(where: str, value: Any) -> None:
    if isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            _require_living(where, item)
    elif isinstance(value, Node) and is_deleted(value):
        raise ValueError(f"{where} has a node that was deleted from this profile: load or make another")


def nested(inputs: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """Return a namespace of inputs, empty where it was not given.

    :param path: its levels separated by points.
    """
    for level in path.split("."):
        inputs = inputs.get(level) or {}
    return inputs


def check_code(code: AbstractCode) -> None:
    """Refuse a code that has no place on a computer, or one on a computer that AiiDA cannot reach."""
    if not isinstance(code, InstalledCode | ContainerizedCode):
        raise ValueError(
            f"code {code.label!r} is a {type(code).__name__}: give an InstalledCode or ContainerizedCode whose "
            "executable is the Python of the model's environment"
        )
    if not code.computer.is_configured:
        raise ValueError(
            f"code {code.full_label!r} is on a computer that is not configured: `verdi computer configure "
            f"{code.computer.transport_type} {code.computer.label!r}`, or choose another code"
        )


def check_structures(structures: Mapping[str, StructureData] | None) -> None:
    """Refuse structures that no potential can mean, and keys that cannot be names."""
    check_labels("a structure", structures or {})
    for key, structure in (structures or {}).items():
        with naming(f"structure {key!r}"):
            atoms = to_atoms(structure)
            require_whole_source(structure)
        check_structure(key, atoms)


def check_alone(structure: StructureData) -> None:
    """Refuse what :func:`check_structures` does, of a structure that comes alone and needs no key."""
    key = "structure"
    try:
        check_structures({key: structure})
    except (ValueError, EngineError) as error:
        raise ValueError(f"the structure{str(error).removeprefix(f'structure {key!r}')}") from None


def check_trajectory(trajectory: TrajectoryData | None) -> None:
    """Refuse a trajectory with a first frame that no potential can mean, or a frame of no numbers or no volume."""
    if trajectory is None:
        return
    first = next(trajectory_to_atoms(trajectory), None)
    if first is None:
        raise ValueError("the trajectory has no frames")
    check_structure(frame_label(0), first)
    _check_finite("positions", trajectory.get_positions())
    cells = trajectory.get_cells()
    if cells is not None:
        _check_finite("cell vectors", cells)
    if cells is not None and all(trajectory.pbc):
        volumes = np.abs(np.linalg.det(cells)) / len(trajectory.symbols)
        if (volumes < MINIMUM_VOLUME_PER_ATOM).any():
            frame = int(np.argmin(volumes))
            raise ValueError(f"{frame_label(frame)} has a cell of {volumes[frame]:.3g} Å³ an atom: check its vectors")


def _check_finite(what: str, array: NDArray[np.float64]) -> None:
    finite = np.isfinite(array).all(axis=(1, 2))
    if not finite.all():
        raise ValueError(f"{frame_label(int(np.argmin(finite)))} has {what} that are no finite numbers")


def check_trajectories(trajectories: Mapping[str, TrajectoryData] | None) -> None:
    """Refuse what :func:`check_trajectory` does, with the key of the trajectory, and keys that cannot be names."""
    check_labels("a trajectory", trajectories or {})
    for key, trajectory in (trajectories or {}).items():
        with naming(f"trajectory {key!r}"):
            check_trajectory(trajectory)


def frame_label(index: int, key: str | None = None) -> str:
    """Return what messages call a frame of a trajectory; ``key`` is that of the trajectory, where there are several."""
    return f"frame {index}" if key is None else f"{key}/{frame_label(index)}"


def symbols_of(structures: Mapping[str, StructureData] | None) -> dict[str, set[str]]:
    """Return the chemical symbols of each structure of a namespace, by the name that a message should call it."""
    return {f"structure {key!r}": structure.get_symbols_set() for key, structure in (structures or {}).items()}


def promised_package(code: AbstractCode, family: str) -> tuple[str, str] | None:
    """Return name and version of a family's package as the environment promises them; ``None`` if it does not."""
    environment = code.base.extras.get(ENVIRONMENT_KEY, {})
    if environment.get("family") != family or "package" not in environment:
        return None
    return environment["package"], environment["version"]


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
                f"{name} contains {', '.join(unknown)}, which model {model.title} does not know (it knows {shown}): "
                "choose another, see `aiida-crucible model list`"
            )


def check_trust(model: ModelData) -> None:
    """Refuse a model that lacks its weights, or names code to run that nobody said in this profile may run.

    :raises ValueError: one line.
    """
    require_weights(model)
    if model.runs_code and not model.trusted:
        named = ", ".join(f"{key} {value!r}" for key, value in model.settings.items() if isinstance(value, str))
        raise ValueError(
            f"model {model.title} (PK {model.pk}) runs the code that it names ({named}), and nobody said in this "
            f"profile that it may: if you trust it, `aiida-crucible model verify {model.pk} --trust-code` or trust_code"
            "=True in ModelData.get_or_create"
        )


def check_environment(code: AbstractCode, model: ModelData) -> None:
    """Refuse an environment of another family, or a computer that the model's checkpoint cannot reach."""
    complaint = _other_environment(code, model.family, f"model {model.title}")
    if complaint is not None and find_family(model.family).has_weights:
        raise ValueError(complaint)
    if code.computer is not None:
        require_reachable(model, code.computer)


def check_tools(code: AbstractCode, task: str) -> None:
    """Refuse an environment that was made for something else than a task's tools."""
    if (complaint := _other_environment(code, toolset_of(task).name, task)) is not None:
        raise ValueError(complaint)


def _other_environment(code: AbstractCode, wanted: str, who: str) -> str | None:
    """Return one line about an environment of another family or toolset than somebody needs."""
    environment = code.base.extras.get(ENVIRONMENT_KEY, None)
    if environment is None or environment["family"] == wanted:
        return None
    return (
        f"code {code.full_label!r} is an environment of family {environment['family']!r}, but {who} needs {wanted!r}: "
        f"create one with `aiida-crucible env create {wanted}`"
    )

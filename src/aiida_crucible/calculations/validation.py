"""What can be known to be wrong before a job is submitted; each check raises ``ValueError`` with one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from aiida.orm import AbstractCode, ContainerizedCode, Dict, InstalledCode, Node, StructureData, TrajectoryData
from numpy.typing import NDArray
from sqlalchemy.orm.exc import ObjectDeletedError

from aiida_crucible.calculations.misfits import misfit
from aiida_crucible.calculations.staging import require_reachable
from aiida_crucible.nodes.labels import check_labels
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import require_whole_source, to_atoms, trajectory_to_atoms
from crucible_engine.families.registry import find_family
from crucible_engine.job.preflight import MINIMUM_VOLUME_PER_ATOM, check_structure
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.tasks.registry import TOOLSETS, toolset_of
from crucible_engine.wire.devices import require_device, require_precision
from crucible_engine.wire.rules import as_line, plain, shown
from crucible_engine.wire.schema import EngineError
from crucible_engine.wire.value_types import require_shallow, require_type

ENVIRONMENT_KEY = "crucible_environment"
"""Extra of a Code that ``aiida-crucible env create`` made: family, package, version, lock, torch."""

LEAST_MEMORY = 50_000
"""Kilobytes below which no engine starts: Python with numpy and ASE takes about 80 000."""

Check = Callable[[Any], None]
Complete = Callable[[dict[str, Any]], dict[str, Any]]
Validator = Callable[[Any, Any], str | None]


def validator(check: Check) -> Validator:
    """Return a check in the form that AiiDA's ports ask for."""

    def validate(value: Any, _: Any) -> str | None:
        try:
            require_living("what is given", value)
            check(value)
        except (ValueError, EngineError) as error:
            return as_line(str(error))
        return None

    return validate


def options_of(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the ``metadata.options`` of a job's inputs; none where AiiDA will refuse what is in their place."""
    found: Any = inputs
    for name in ("metadata", "options"):
        found = found.get(name, {})
        if not isinstance(found, Mapping):
            return {}
    return found  # type: ignore[no-any-return]


def require_living(where: str, value: Any) -> None:
    """Refuse a node that was deleted from the profile since it was loaded, also one in a dict or list.

    :param where: whose value it is, as the message should call it.
    :raises ValueError: one line, also where dicts and lists are nested too deeply to look at.
    """
    try:
        require_shallow(value)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    _require_living(where, value)


def _require_living(where: str, value: Any) -> None:
    if isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            _require_living(where, item)
    elif isinstance(value, Node):
        try:
            value.backend_entity.is_stored  # noqa: B018
            value.base.attributes.keys()
        except ObjectDeletedError:
            raise ValueError(f"{where} has a node that was deleted from this profile: load or make another") from None


def check_code(code: AbstractCode | None) -> None:
    """Refuse a code that has no place on a computer, or one on a computer that AiiDA cannot reach."""
    if code is None:
        return
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


def check_device(device: str) -> None:
    """Refuse what is no device's name."""
    require_device(device)


def settings_check(complete: Complete) -> Check:
    """Return the check of settings that are a node.

    :param complete: returns them complete with defaults; raises ``ValueError`` with one line.
    """

    def check(settings: Dict | None) -> None:
        if settings is not None:
            complete(settings.get_dict())

    return check


def settings_serializer(what: str, complete: Complete) -> Callable[[Any], Dict]:
    """Return what turns a plain ``dict`` into a node, complete with defaults and normalised numbers.

    :param what: it is, as the message should call it: ``parameters``.
    :param complete: see :func:`settings_check`.
    :raises ValueError: one line (when called by AiiDA).
    """

    def serialize(value: Any) -> Dict:
        if not isinstance(value, dict):
            raise ValueError(f"{what} are {shown(value)}: give a dict or a Dict node")
        return Dict(complete(plain(value)))

    return serialize


def parameters_check(task: str) -> Check:
    """Return the check of a task's parameters."""
    return settings_check(partial(validate_parameters, task))


def parameters_serializer(task: str) -> Callable[[Any], Dict]:
    """Return what turns a task's plain parameters into a node, see :func:`settings_serializer`."""
    return settings_serializer("parameters", partial(validate_parameters, task))


def check_structures(structures: Mapping[str, StructureData] | None) -> None:
    """Refuse structures that no potential can mean, and keys that cannot be names."""
    check_labels("a structure", structures or {})
    for key, structure in (structures or {}).items():
        if not isinstance(structure, StructureData):
            raise ValueError(f"structure {key!r} is {misfit(structure, (StructureData,))}")
        try:
            atoms = to_atoms(structure)
            require_whole_source(structure)
        except ValueError as error:
            raise ValueError(f"structure {key!r}: {error}") from None
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
        if not isinstance(trajectory, TrajectoryData):
            raise ValueError(f"trajectory {key!r} is {misfit(trajectory, (TrajectoryData,))}")
        try:
            check_trajectory(trajectory)
        except (ValueError, EngineError) as error:
            raise ValueError(f"trajectory {key!r}: {error}") from None


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
                f"{name} contains {', '.join(unknown)}, which model {model.title} does not know (it knows {shown})"
            )


def check_trust(model: ModelData) -> None:
    """Refuse a model that names code to run, unless somebody said in this profile that it may.

    :raises ValueError: one line.
    """
    if model.runs_code and not model.trusted:
        named = ", ".join(f"{key} {value!r}" for key, value in model.settings.items() if isinstance(value, str))
        raise ValueError(
            f"model {model.title} (PK {model.pk}) runs the code that it names ({named}), and nobody said in this "
            f"profile that it may: if you trust it, `aiida-crucible model verify {model.pk} --trust-code` or trust_code"
            "=True in ModelData.get_or_create"
        )


def check_environment(code: AbstractCode, model: ModelData) -> None:
    """Refuse an environment of another family, or a computer that the model's checkpoint cannot reach."""
    environment = code.base.extras.get(ENVIRONMENT_KEY, None)
    is_other = environment is not None and environment["family"] != model.family
    if is_other and find_family(model.family).has_weights:
        raise ValueError(
            f"code {code.full_label!r} is an environment of family {environment['family']!r}, but model {model.title} "
            f"needs {model.family!r}: create one with `aiida-crucible env create {model.family}`"
        )
    if code.computer is not None:
        require_reachable(model, code.computer)


def check_tools(code: AbstractCode, task: str) -> None:
    """Refuse an environment that was made for something else than a task's tools."""
    environment = code.base.extras.get(ENVIRONMENT_KEY, None)
    toolset = toolset_of(task)
    if environment is not None and environment["family"] != toolset.name:
        raise ValueError(
            f"code {code.full_label!r} is an environment of family {environment['family']!r}, but {task} needs "
            f"{toolset.name!r}: create one with `aiida-crucible env create {toolset.name}`"
        )


def check_precision(model: ModelData, options: Mapping[str, Any]) -> None:
    """Refuse a device that cannot compute in a model's precision.

    :param options: ``metadata.options`` of a job.
    :raises ValueError: one line.
    """
    require_precision(options.get("device", "auto"), model.dtype)


def check_placement(code: AbstractCode, options: Mapping[str, Any]) -> None:
    """Refuse resources that the computer's scheduler does not understand, and a device that the code cannot have.

    :param code: an environment, or any other Python.
    :param options: ``metadata.options`` of a job.
    :raises ValueError: one line.
    """
    if "resources" in options:
        scheduler, resources = code.computer.get_scheduler(), dict(options["resources"])
        try:
            scheduler.preprocess_resources(resources, code.computer.get_default_mpiprocs_per_machine())
            scheduler.validate_resources(**resources)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"metadata.options.resources is {dict(options['resources'])}, not what "
                f"{code.computer.scheduler_type} of computer {code.computer.label!r} takes: {error}"
            ) from error
    environment = code.base.extras.get(ENVIRONMENT_KEY, None)
    device = options.get("device", "auto")
    if environment is None or device in ("auto", "cpu"):
        return
    family, torch = environment["family"], environment["torch"]
    if torch is None and family in TOOLSETS:
        raise ValueError(
            f"device is {device!r}, but {code.full_label} has no torch: `aiida-crucible env create {family} --torch "
            "cuda` makes another, or give auto or cpu"
        )
    if torch is None:
        raise ValueError(f"device is {device!r}, but {family} computes on the cpu only: give auto or cpu")
    if torch.endswith("+cpu"):
        raise ValueError(
            f"device is {device!r}, but {code.full_label} has a build of torch for the cpu only ({torch}): "
            f"`aiida-crucible env create {family} --torch cuda` makes another, or give auto or cpu"
        )


def check_resource_types(options: Mapping[str, Any]) -> None:
    """Refuse resources that are no whole numbers or words; AiiDA multiplies what it is given."""
    require_type("metadata.options.resources", options.get("resources", {}), Mapping[str, int | str | None])


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse several processes (the engine is one, which uses threads or a GPU), no time and no memory to run."""
    check_resource_types(options)
    if options.get("withmpi"):
        raise ValueError("metadata.options.withmpi is True: the engine runs as one process, never under MPI")
    for name in ("max_wallclock_seconds", "max_memory_kb"):
        require_type(f"metadata.options.{name}", options.get(name), int | float | None)
    walltime = options.get("max_wallclock_seconds")
    if walltime is not None and walltime < 1:
        raise ValueError(f"metadata.options.max_wallclock_seconds is {walltime}: give at least 1")
    memory = options.get("max_memory_kb")
    if memory is not None and memory < LEAST_MEMORY:
        raise ValueError(
            f"metadata.options.max_memory_kb is {memory}, less than Python and numpy take ({LEAST_MEMORY}): give it in "
            "kilobytes, for a model some 4000000"
        )
    resources = {name: number for name, number in options.get("resources", {}).items() if number is not None}
    cores = resources.get("num_cores_per_mpiproc")
    if cores is not None and (not isinstance(cores, int) or isinstance(cores, bool) or cores < 1):
        raise ValueError(
            f"num_cores_per_mpiproc of metadata.options.resources is {cores!r}: give a whole number, at least 1"
        )
    processes = resources.get("tot_num_mpiprocs") or (
        resources.get("num_machines", 1) * resources.get("num_mpiprocs_per_machine", 1)
    )
    if processes != 1:
        raise ValueError(
            f"metadata.options.resources asks for {processes} processes: the engine is one; give it cores with "
            "num_cores_per_mpiproc"
        )
